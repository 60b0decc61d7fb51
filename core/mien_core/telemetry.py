"""Logs and traces, the same for every process. Metrics are counted with prometheus_client where they happen.

Logs, spans and metrics carry ids, never pixels, secrets or prompts.
"""

import functools
import logging
import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import prometheus_client
from opentelemetry import context, trace
from opentelemetry.trace import Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from pydantic_core import to_json

from mien_core.settings import TelemetrySettings
from mien_core.trace_ids import IdsOnlyProvider

_TRACEPARENT = TraceContextTextMapPropagator()
_TRACER = trace.get_tracer("mien")

# ids that belong to whatever is being done now; every log line of it carries them
_context: ContextVar[Mapping[str, str] | None] = ContextVar("mien_log_context", default=None)

# what every LogRecord has: anything else came in through extra= and belongs into the line
_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure(settings: TelemetrySettings, service: str) -> None:
    """Set up this process's logs, trace export and metrics port; call it once, first thing."""
    formatter: logging.Formatter = JsonFormatter(service) if settings.log_format == "json" else TextFormatter()
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if settings.log_file:
        handlers.append(logging.FileHandler(settings.log_file))
    for handler in handlers:
        handler.setFormatter(formatter)
    logging.basicConfig(level=settings.log_level, handlers=handlers, force=True)
    logging.captureWarnings(capture=True)
    # Which thread, process and line of code wrote a line is found out for each one, and no format of ours shows it.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001 - the standard library's HOWTO says so
    exporting = settings.otlp_endpoint
    trace.set_tracer_provider(_exporting_provider(exporting, service) if exporting else IdsOnlyProvider())
    if settings.metrics_port:
        prometheus_client.start_http_server(settings.metrics_port)


def _exporting_provider(endpoint: str, service: str) -> trace.TracerProvider:
    # half a second to import, which a process that exports nothing needn't wait for
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider(resource=Resource.create({"service.name": f"mien-{service}"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    return provider


class _LogContext:
    """See log_context. A class, as each request enters one: a generator takes several times as long."""

    __slots__ = ("_fields", "_token")

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = fields

    def __enter__(self) -> None:
        self._token = _context.set({**(_context.get() or {}), **self._fields})

    def __exit__(self, *_: object) -> None:
        _context.reset(self._token)


def log_context(**fields: str) -> AbstractContextManager[None]:
    """Give these fields to every log line of the block, in this task and those that it starts."""
    return _LogContext(fields)


class _IdsAlone:
    """The block of a span that nobody records: it has no end, and keeps no errors."""

    __slots__ = ("_span", "_token")

    def __init__(self, span: Span) -> None:
        self._span = span

    def __enter__(self) -> Span:
        self._token = context.attach(trace.set_span_in_context(self._span))
        return self._span

    def __exit__(self, *_: object) -> None:
        context.detach(self._token)


def start_span(
    name: str, *, traceparent: str | None = None, kind: SpanKind = SpanKind.INTERNAL, **attributes: str | float
) -> AbstractContextManager[Span]:
    """Time a step as a span: a child of traceparent (W3C) if given, else of the current span."""
    parent = _TRACEPARENT.extract({"traceparent": traceparent}) if traceparent else None
    span = _TRACER.start_span(name, parent, kind, attributes)
    return trace.use_span(span, end_on_exit=True) if span.is_recording() else _IdsAlone(span)


def current_traceparent() -> str | None:
    """The current span in W3C form, to be sent along; None outside of any span."""
    carrier: dict[str, str] = {}
    _TRACEPARENT.inject(carrier)
    return carrier.get("traceparent")


def log_now(logger: logging.Logger, message: str, fields: Mapping[str, Any]) -> None:
    """Log a line at INFO as logger.info(message, extra=fields) does, in a fraction of its time.

    For what logs at each request. The record is a copy of one that was made for this logger, instead of one that looks
    for its thread, its task and where in which file it comes from, of which we write nothing.
    """
    if not logger.isEnabledFor(logging.INFO):
        return
    created = time.time()
    record = object.__new__(logging.LogRecord)
    record.__dict__.update(_blank(logger.name))
    record.__dict__.update(fields)
    record.msg, record.created, record.msecs = message, created, created % 1 * 1000
    logger.handle(record)


@functools.lru_cache(maxsize=16)
def _blank(name: str) -> Mapping[str, Any]:
    return vars(logging.LogRecord(name, logging.INFO, "", 0, "", None, None))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, service, logger, message, the context's ids, extra fields, the trace."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Render a record."""
        line: dict[str, Any] = {
            "time": f"{_second(int(record.created))}.{int(record.created * 1000) % 1000:03d}+00:00",
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        # a third of what json.dumps takes
        return to_json(line, fallback=str, bytes_mode="base64").decode()


@functools.lru_cache(maxsize=2)
def _second(timestamp: int) -> str:
    """The time without its milliseconds, which is the same for many lines."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%S")


class TextFormatter(logging.Formatter):
    """The same for people: time, level, message, then the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Render a record."""
        time = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S.%f")[:-3]
        fields = "".join(f" {name}={value}" for name, value in _fields(record).items())
        line = f"{time} {record.levelname:<7} {record.getMessage()}{fields}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields: dict[str, Any] = dict(_context.get() or {})
    extra = vars(record)
    # most records have nothing else, which sets tell at once
    if extra.keys() - _STANDARD_FIELDS:
        # what begins with an underscore is a library's own note on the record, such as Ray's
        fields |= {name: extra[name] for name in extra if name not in _STANDARD_FIELDS and name[0] != "_"}
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        fields["trace_id"] = format(span.trace_id, "032x")
    return fields
