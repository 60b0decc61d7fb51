"""Keeps libraries from filling the log while a part is away."""

import logging
import time
from collections.abc import Callable

# their normal life is not ours to tell; what goes wrong is
# (botocore's would have what language models are asked and say)
LIBRARIES = ("faust", "mode", "aiokafka", "httpx", "httpcore", "boto3", "botocore")
# aiokafka repeats itself ten times a second per connection while a broker is away
REPEAT_SECONDS = 30.0


class OncePerWhile(logging.Filter):
    """Lets the same kind of line of a library pass once in a while: kinds are told apart by logger and template."""

    def __init__(self, seconds: float = REPEAT_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._seconds = seconds
        self._clock = clock
        self._last: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a line may pass."""
        if record.name.partition(".")[0] not in LIBRARIES:
            return True
        kind = (record.name, str(record.msg))
        now = self._clock()
        if now - self._last.get(kind, -self._seconds) < self._seconds:
            return False
        self._last[kind] = now
        return True


def calm_libraries() -> None:
    """Let libraries say only what goes wrong, and that not ten times a second; call it after logging was set up."""
    for library in LIBRARIES:
        logging.getLogger(library).setLevel(logging.WARNING)
    once = OncePerWhile()
    for handler in logging.getLogger().handlers:
        handler.addFilter(once)
