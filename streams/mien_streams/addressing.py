"""The headers by which a message comes again: for which handler, and for the how many-th time.

They stand beside the event's own, which stay as they are: to all others it is the same event.
"""

from collections.abc import Iterable

from mien_core.ports.messages import Record
from mien_streams.delivery import Delivery

FOR = "mien-for"
ATTEMPT = "mien-attempt"
REDRIVE = "mien-redrive"

Headers = tuple[tuple[str, bytes], ...]


def is_for(headers: Headers, handler: str) -> bool:
    """Tell whether a message is the handler's business; one without an address is everybody's."""
    address = _last(headers, FOR)
    return address is None or address == handler.encode()


def attempt(headers: Headers) -> int:
    """Which attempt a message is; the first is 1."""
    return max(1, _number(headers, ATTEMPT))


def redrives(headers: Headers) -> int:
    """How often people have sent a message on its way again."""
    return _number(headers, REDRIVE)


def next_attempt(delivery: Delivery, handler: str) -> Record:
    """The record by which a delivery comes to its handler once more."""
    number = attempt(delivery.headers) + 1
    headers = _with(delivery.headers, {FOR: handler, ATTEMPT: str(number)})
    return Record(delivery.topic, delivery.key, delivery.value, headers)


def redriven(headers: Headers, redrive: int, handler: str | None = None) -> Headers:
    """A dead letter's headers for another series of attempts, beginning with the first.

    Args:
        headers: as they came.
        redrive: the how many-th one it is.
        handler: whose business it is alone; None leaves it to whom it was addressed before.
    """
    address = {} if handler is None else {FOR: handler}
    return _with(headers, address | {REDRIVE: str(redrive)}, without=(ATTEMPT,))


def _with(headers: Headers, added: dict[str, str], without: Iterable[str] = ()) -> Headers:
    gone = {*added, *without}
    kept = [(name, value) for name, value in headers if name not in gone]
    return (*kept, *((name, value.encode()) for name, value in added.items()))


def _number(headers: Headers, name: str) -> int:
    value = _last(headers, name)
    # what strangers write there counts for nothing
    return int(value) if value is not None and value.isdigit() and len(value) < len("1000") else 0


def _last(headers: Headers, name: str) -> bytes | None:
    return next((value for header, value in reversed(headers) if header == name), None)
