"""What a log line holds, and that one photo is one trace."""

import json
import logging
import subprocess
import sys
from pathlib import Path

from opentelemetry import trace

from mien_core.settings import TelemetrySettings
from mien_core.telemetry import JsonFormatter, configure, current_traceparent, log_context, start_span
from mien_core.trace_ids import IdsOnlyProvider


def _line(**extra: object) -> dict[str, object]:
    record = logging.makeLogRecord({"msg": "Done %d", "args": (3,), "levelname": "INFO", "name": "mien", **extra})
    line: dict[str, object] = json.loads(JsonFormatter("api").format(record))
    return line


def test_a_line_is_one_json_object() -> None:
    """Time, level, service, logger and message, and what was given as extra."""
    line = _line(job_id="j1")
    assert {"time", "level", "service", "logger", "message", "job_id"} == set(line)
    assert (line["message"], line["service"], line["level"], line["job_id"]) == ("Done 3", "api", "info", "j1")


def test_the_context_is_on_every_line_of_its_block() -> None:
    """Ids are given once and end with the block; nested ones add to the outer."""
    with log_context(request_id="r1"):
        with log_context(job_id="j1"):
            assert _line().items() >= {"request_id": "r1", "job_id": "j1"}.items()
        assert "job_id" not in _line()
    assert "request_id" not in _line()


def test_a_trace_goes_on_in_another_process() -> None:
    """A span begun from a traceparent belongs to its trace, and the log line says which."""
    configure(TelemetrySettings(), "test")
    assert current_traceparent() is None
    with start_span("publish") as outer:
        carried = current_traceparent()
        trace_id = format(outer.get_span_context().trace_id, "032x")
        assert carried is not None
        assert carried.split("-")[1] == trace_id
    with start_span("process", traceparent=carried):
        continued = current_traceparent()
        assert continued is not None
        assert continued.split("-")[1] == trace_id
        assert _line()["trace_id"] == trace_id


def test_ids_are_there_without_an_exporter() -> None:
    """Each span has ids of its own, a child its parent's trace; and they travel as sampled, for others may export."""
    tracer = IdsOnlyProvider().get_tracer("mien")
    first, second = tracer.start_span("first"), tracer.start_span("second")
    child = tracer.start_span("child", trace.set_span_in_context(first))
    contexts = [span.get_span_context() for span in (first, second, child)]
    assert all(context.is_valid and context.trace_flags.sampled for context in contexts)
    assert len({context.span_id for context in contexts}) == 3
    assert contexts[0].trace_id == contexts[2].trace_id != contexts[1].trace_id


def test_who_is_not_to_be_sampled_stays_so() -> None:
    """What the caller of this process decided about the trace goes on to whoever is called."""
    unsampled = trace.NonRecordingSpan(trace.SpanContext(1, 2, is_remote=True))
    child = IdsOnlyProvider().get_tracer("mien").start_span("child", trace.set_span_in_context(unsampled))
    assert (child.get_span_context().trace_id, child.get_span_context().trace_flags.sampled) == (1, False)


def test_a_process_that_exports_nothing_loads_no_exporter() -> None:
    """It would wait for half of what it takes to start."""
    code = (
        "import sys; from mien_core.settings import TelemetrySettings; from mien_core.telemetry import configure;"
        "configure(TelemetrySettings(), 'test'); print('opentelemetry.sdk.trace' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout == b"False\n"


def test_whatever_is_logged_is_json() -> None:
    """Texts stay as they are, and what JSON has no word for is written as text."""
    line = _line(name_of="Zoë", path=Path("a/b"))
    assert (line["name_of"], line["path"]) == ("Zoë", "a/b")
