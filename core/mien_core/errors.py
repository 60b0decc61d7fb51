"""The four words that decide everything outside (see docs/decisions).

A domain error knows no HTTP, no Kafka and no Ray: each shell translates it once. Anything that is not one of
these four is a bug.
"""


class MienError(Exception):
    """What every expected failure has: a stable code for programs and a detail for people.

    Args:
        code: stable, snake_case; clients may branch on it, so it never changes once published.
        detail: one or two sentences that say what is wrong and what to do.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail

    def __reduce__(self) -> tuple[type["MienError"], tuple[object, ...]]:
        """Survive pickling: Ray carries exceptions between processes."""
        return type(self), (self.code, self.detail)


class Rejected(MienError):
    """The input can't be accepted and never will be: repeating the same request is pointless."""


class Missing(MienError):
    """The thing doesn't exist, or the caller may not know that it does."""


class Conflict(MienError):
    """The request contradicts the present state."""


class Unavailable(MienError):
    """A part is away or full: the same request may succeed later.

    Args:
        code: as in MienError.
        detail: as in MienError.
        retry_after: seconds after which a retry is sensible.
    """

    def __init__(self, code: str, detail: str, retry_after: float = 1.0) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[type["Unavailable"], tuple[object, ...]]:
        return type(self), (self.code, self.detail, self.retry_after)
