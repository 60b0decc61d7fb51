"""Libraries' repetitions in the log."""

import logging

from mien_streams.quiet import OncePerWhile


def line(name: str, template: str, *values: object) -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, "", 0, template, values, None)


def test_a_library_says_the_same_thing_once_in_a_while() -> None:
    """The kind counts, not its values; after a while it may be said again."""
    now = 1000.0
    once = OncePerWhile(30, lambda: now)
    assert once.filter(line("aiokafka.client", "can't reach %s", 1))
    assert not once.filter(line("aiokafka.client", "can't reach %s", 2))
    assert once.filter(line("aiokafka.client", "something else"))
    now = 1031.0
    assert once.filter(line("aiokafka.client", "can't reach %s", 1))


def test_our_own_lines_always_pass() -> None:
    """Nothing that the platform itself says is dropped."""
    once = OncePerWhile(30, lambda: 0.0)
    assert all(once.filter(line("mien_streams.edge", "a bug")) for _ in range(3))
