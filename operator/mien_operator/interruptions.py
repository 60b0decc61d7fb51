"""What breaks a turn off without being anybody's error."""


class Stale(Exception):
    """The resource has changed since it was read: what was decided of it is to be decided anew."""


class Gone(Exception):
    """The resource is no more."""


class NotLeading(Exception):
    """Another operator may be at work: nothing more is done here."""
