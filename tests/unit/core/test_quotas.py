"""How allowances are dealt out."""

from hypothesis import given
from hypothesis import strategies as st

from mien_core.rules.quotas import granted, slice_of

LIMITS = st.integers(1, 100_000)


@given(LIMITS, st.integers(0, 200_000), st.integers(1, 100_000))
def test_no_more_than_is_left_and_none_only_where_nothing_is(limit: int, used: int, wanted: int) -> None:
    """A grant never passes what is wanted or left, also after the limit was lowered; what is left can be had."""
    given = granted(limit, used, wanted)
    assert 0 <= given <= min(wanted, max(0, limit - used))
    assert (given > 0) == (used < limit)


@given(LIMITS)
def test_a_window_is_dealt_out_whole_in_few_leases(limit: int) -> None:
    """Whoever asks again and again gets the whole allowance, in at most 60 statements however large it is."""
    used = leases = 0
    while (given := granted(limit, used, slice_of(limit))) > 0:
        used += given
        leases += 1
    assert used == limit
    assert leases <= 60
