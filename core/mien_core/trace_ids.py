"""Spans where nobody exports any: their ids alone, for log lines and for whoever is called.

A span of the SDK keeps its name, its times and its attributes under a lock, for an exporter that isn't there.
"""

import random
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context


class IdsOnlyProvider(trace.NoOpTracerProvider):
    """Meets OpenTelemetry's TracerProvider."""

    def get_tracer(self, *_: Any, **__: Any) -> trace.Tracer:
        """See TracerProvider."""
        return _IdsOnlyTracer()


class _IdsOnlyTracer(trace.NoOpTracer):
    def start_span(self, name: str, context: Context | None = None, *_: Any, **__: Any) -> trace.Span:
        """See Tracer: a child of the context's span, in its trace, and else the first of a new one."""
        del name
        parent = trace.get_current_span(context).get_span_context()
        if parent.is_valid:
            ids = trace.SpanContext(parent.trace_id, _random(64), False, parent.trace_flags, parent.trace_state)
        else:
            # sampled: whether it is exported is for each process on its way to decide
            ids = trace.SpanContext(_random(128), _random(64), False, trace.TraceFlags(trace.TraceFlags.SAMPLED))
        return trace.NonRecordingSpan(ids)


def _random(bits: int) -> int:
    """A number of so many bits that isn't 0, which W3C Trace Context has for none."""
    return random.getrandbits(bits) or 1
