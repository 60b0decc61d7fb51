"""How a window's allowance is dealt out in slices, so that requests cost no statement each."""

# A slice is a tenth of the allowance: few enough statements, and few enough requests in the wrong process' hands.
SLICES = 10
# Nobody gets more than this part of what is left, so that the last ones don't all lie in one process.
LAST_PART = 4


def slice_of(limit: int) -> int:
    """How many of a window's requests a process asks for at once."""
    return max(1, limit // SLICES)


def granted(limit: int, used: int, wanted: int) -> int:
    """How many of a window's requests are given to who wants so many; none only where none is left.

    Args:
        limit: what a window has.
        used: what was given away of it; above the limit, if the limit was lowered meanwhile.
        wanted: what is asked for.
    """
    left = max(0, limit - used)
    return min(wanted, -(-left // LAST_PART))
