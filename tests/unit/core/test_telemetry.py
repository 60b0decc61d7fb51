"""What a log line holds, and that one photo is one trace."""

import json
import logging

from mien_core.settings import TelemetrySettings
from mien_core.telemetry import JsonFormatter, configure, current_traceparent, log_context, start_span


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
