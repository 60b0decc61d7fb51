"""Pauses between attempts."""

from itertools import islice

from mien_streams.retry import backoff


def test_pauses_grow_to_their_bound_with_jitter() -> None:
    """Each pause is within half and all of its step; steps double up to the longest."""
    steps = [0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0]
    for _ in range(100):
        pauses = list(islice(backoff(0.1, 1.0), len(steps)))
        assert all(step / 2 <= pause <= step for pause, step in zip(pauses, steps, strict=True))


def test_two_that_failed_together_do_not_come_back_together() -> None:
    """The jitter differs."""
    assert list(islice(backoff(), 5)) != list(islice(backoff(), 5))
