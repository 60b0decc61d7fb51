"""What is due, when a run asks first, and how it goes on."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien_core.errors import Conflict
from mien_core.model.data_classes import DataClass
from mien_core.model.keys import annotated_key, asset_key, mask_key, original_key, photo_key, poster_key, tryon_key
from mien_core.model.objects import StoredObject
from mien_core.model.retention import RetentionRule, RuleCounts, Run, RunLimits, RunMode, RunState, Store
from mien_core.rules.retention import (
    APPROVAL_REQUIRED,
    PREFIXES,
    TOO_MANY,
    after_listing,
    approved,
    batch_size,
    due_before,
    failed,
    of_class,
    over_limit,
    owner_of,
    pause_after,
    room,
    stopped,
)
from tests.retention import PHOTOS, rows_of, run_request

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
COUNTS = st.integers(0, 1000).flatmap(
    lambda total: st.builds(RuleCounts, total=st.just(total), listed=st.integers(0, total))
)
SPANS = st.timedeltas(timedelta(), timedelta(days=7 * 99_999))


def run_with(*counts: RuleCounts, mode: RunMode = RunMode.ENFORCE, max_percent: int = 20) -> Run:
    rules = (PHOTOS, rows_of(DataClass.PHOTOS), rows_of(DataClass.LOOKS))[: len(counts)]
    request = run_request(*rules, mode=mode, limits=RunLimits(max_percent=max_percent))
    return Run(request, NOW, counts=counts)


@given(SPANS, SPANS)
def test_what_is_due_is_older_than_ttl_and_grace(ttl: timedelta, grace: timedelta) -> None:
    """To the microsecond, and never later for a longer time; a time longer than the calendar makes nothing due."""
    before = due_before(RetentionRule(Store.S3, DataClass.PHOTOS, ttl, grace), NOW)
    assert before <= NOW
    if ttl + grace < NOW - datetime.min.replace(tzinfo=UTC):
        assert NOW - before == ttl + grace
    else:
        assert before == datetime.min.replace(tzinfo=UTC)


def test_each_object_is_one_classs_alone() -> None:
    """By the names that keys are made with; what is nobody's, and what is no id, is no class's."""
    upload, job = str(uuid4()), str(uuid4())
    photos = [original_key(upload), photo_key(upload)]
    derived = [annotated_key(upload), mask_key(upload, "radiance"), tryon_key(job), poster_key(job)]
    others = [asset_key(upload), f"uploads/{upload}", "uploads/me/photo", f"uploads/{upload}0/photo", f"tryons/{job}"]
    objects = [StoredObject(key, 1) for key in (*photos, *derived, *others)]
    assert [one.key for one in of_class(DataClass.PHOTOS, objects)] == photos
    assert [one.key for one in of_class(DataClass.DERIVED_IMAGES, objects)] == derived
    for key in (*photos, *derived):
        owner = owner_of(key)
        assert owner is not None
        assert {owner.upload_id, owner.job_id} == {None, upload if upload in key else job}
        assert key.startswith(PREFIXES[owner.data_class])


@given(st.lists(COUNTS, min_size=1, max_size=3), st.integers(1, 100), st.sampled_from(RunMode))
def test_nothing_goes_unasked_that_is_more_than_may(counts: list[RuleCounts], percent: int, mode: RunMode) -> None:
    """Whatever the mode: only Enforce goes on by itself, and only if no rule is over; a dry run never does."""
    run = after_listing(run_with(*counts, mode=mode, max_percent=percent), NOW)
    over = any(one.listed > one.total * percent / 100 for one in counts)
    something = any(one.listed for one in counts)
    if mode is RunMode.DRY_RUN or not something:
        assert (run.state, run.ended_at) == (RunState.DONE, NOW)
    elif mode is RunMode.ENFORCE and not over:
        assert (run.state, run.expires_at) == (RunState.APPROVED, None)
    else:
        assert (run.state, run.reason) == (RunState.PROPOSED, TOO_MANY if over else APPROVAL_REQUIRED)
        assert run.expires_at == NOW + run.request.proposal_ttl
    assert run.listed_at == NOW


@pytest.mark.parametrize(
    ("listed", "total", "percent", "rules_over"), [(20, 100, 20, 0), (21, 100, 20, 1), (5, 5, 100, 0)]
)
def test_the_limit_itself_is_within_it(listed: int, total: int, percent: int, rules_over: int) -> None:
    """A maxPercentPerRun of 20 lets 20 of 100 go; 100 lets everything go."""
    run = run_with(RuleCounts(total=total, listed=listed), max_percent=percent)
    assert len(over_limit(run)) == rules_over


def test_a_proposal_is_approved_once_and_in_time() -> None:
    """Twice is the same as once; what is no proposal, and one that has expired, is refused with what to do."""
    listing = run_with(RuleCounts(total=100, listed=1), mode=RunMode.REQUIRE_APPROVAL)
    proposed = after_listing(listing, NOW)
    agreed = approved(proposed, NOW)
    assert agreed.state is RunState.APPROVED
    assert approved(agreed, NOW + timedelta(days=30)) == agreed
    with pytest.raises(Conflict, match="retention_proposal_expired"):
        approved(proposed, NOW + timedelta(days=7))
    for other in (listing, stopped(proposed, "asked", NOW), failed(agreed, "internal_error", NOW)):
        with pytest.raises(Conflict, match="retention_run_not_proposed"):
            approved(other, NOW)


def test_what_has_ended_stays_as_it_ended() -> None:
    """Neither stopping nor failing changes it, nor the reason that it has."""
    run = after_listing(run_with(RuleCounts(total=100, listed=1)), NOW)
    done = stopped(run, "policy_changed", NOW)
    assert (done.state, done.reason, done.ended_at) == (RunState.STOPPED, "policy_changed", NOW)
    assert stopped(done, "another", NOW + timedelta(1)) == done
    assert failed(done, "internal_error", NOW) == done


def test_a_list_has_room_for_so_many() -> None:
    """Over all rules of the run together."""
    run = run_with(RuleCounts(listed=3), RuleCounts(listed=4))
    limited = replace(run, request=replace(run.request, limits=RunLimits(max_deletes=9)))
    assert room(limited) == 2
    assert room(replace(limited, counts=(RuleCounts(listed=10),))) == 0


@given(st.integers(1, 100_000), st.floats(0, 0.5), st.integers(1, 20))
def test_no_more_go_in_a_second_than_may(per_second: int, took: float, batches: int) -> None:
    """Over any number of full batches, whatever the work itself takes; and no longer than needed."""
    size = batch_size(per_second, 200)
    seconds = sum(took + pause_after(size, per_second, took) for _ in range(batches))
    assert 1 <= size <= per_second
    assert batches * size <= per_second * seconds * 1.000001
    assert seconds == pytest.approx(batches * max(took, size / per_second))
