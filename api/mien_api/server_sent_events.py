"""The format of server-sent events (WHATWG HTML, section 9.2), as far as jobs need it."""

MEDIA_TYPE = "text/event-stream"

# a comment: it keeps proxies from closing a quiet connection, and no client sees it
HEARTBEAT = b":\n\n"


def event(event_id: int, name: str, data: str) -> bytes:
    """Write one event; data has no line breaks, as JSON without indentation."""
    return f"id: {event_id}\nevent: {name}\ndata: {data}\n\n".encode()


def retry(milliseconds: int) -> bytes:
    """Tell the client how long to wait before it connects again."""
    return f"retry: {milliseconds}\n\n".encode()


def resume_after(last_event_id: str | None, newest: int) -> int:
    """The id after which a stream goes on: the client's, or 0, the beginning, if it isn't one of this stream's.

    A client can't choose what it sends here: an EventSource repeats what it was last told, and gives up for good when
    it is refused. So what can't be an id of this stream is taken for none: to see events again is harmless, to miss
    the end is not.
    """
    text = last_event_id or ""
    # longer than any id; int() would take its time over thousands of digits
    if not (text.isascii() and text.isdigit() and len(text) < 10):  # noqa: PLR2004 - said above
        return 0
    return int(text) if int(text) <= newest else 0
