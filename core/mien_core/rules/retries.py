"""When something that failed for want of a part is tried again."""

# what failed for longer than a moment is tried again after these
DELAYS_SECONDS = (5.0, 60.0, 600.0)
# a delay is up to this much longer: those who failed together must not come back together
JITTER = 0.2
ATTEMPTS = 1 + len(DELAYS_SECONDS)

# all delays together, at their longest
LONGEST_DELAYS_SECONDS = sum(DELAYS_SECONDS) * (1 + JITTER)


def delay_after(attempt: int, luck: float) -> float | None:
    """How many seconds to wait before the next attempt; None if that was the last one.

    Args:
        attempt: which one failed; the first is 1.
        luck: a random number in [0, 1) that spreads the delays.
    """
    if attempt > len(DELAYS_SECONDS):
        return None
    return DELAYS_SECONDS[attempt - 1] * (1 + JITTER * luck)
