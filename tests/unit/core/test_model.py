"""Ownership, keys and the face report's two spellings."""

import pickle
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien_core.errors import Conflict, MienError, Missing, Rejected, Unavailable
from mien_core.model.face import FaceReport
from mien_core.model.keys import annotated_key, original_key, photo_key, upload_id_of_original
from mien_core.model.platform import Caller, NewUpload, require_owned, require_user
from tests.makers import face_report, new_upload

NAMES = st.sampled_from(["acme", "other"])
USERS = st.sampled_from([None, "anna", "ben"])


@given(NAMES, USERS, NAMES, USERS)
def test_a_caller_sees_its_own_and_nothing_else(
    caller_tenant: str, caller_user: str | None, tenant: str, user: str | None
) -> None:
    """Within the tenant: all for a tenant's credential, its own for a user's. Beyond it: nothing, ever."""
    upload = new_upload(tenant=tenant, user_id=user)
    caller = Caller(tenant=caller_tenant, user_id=caller_user)
    expected = caller_tenant == tenant and (caller_user is None or caller_user == user)
    assert caller.may_see(upload) == expected
    if expected:
        assert require_owned(upload, caller, "upload") is upload
    else:
        with pytest.raises(Missing, match="upload_not_found"):
            require_owned(upload, caller, "upload")


def test_what_is_not_there_and_what_is_anothers_read_the_same() -> None:
    """Nobody can find out whether an id exists."""
    caller = Caller(tenant="acme", user_id=None)

    def words(upload: NewUpload | None) -> str:
        with pytest.raises(Missing) as raised:
            require_owned(upload, caller, "upload")
        return str(raised.value)

    assert words(None) == words(new_upload(tenant="other"))


def test_only_originals_are_recognised_as_originals() -> None:
    """What serving writes beside the original must not start another analysis."""
    upload_id = str(uuid4())
    assert upload_id_of_original(original_key(upload_id)) == upload_id
    others = [photo_key(upload_id), annotated_key(upload_id), "uploads//original", f"x/{original_key(upload_id)}"]
    assert [upload_id_of_original(key) for key in [*others, f"{original_key(upload_id)}\n"]] == [None] * 5


def test_a_report_reads_back_from_both_spellings() -> None:
    """snake_case within the platform, camelCase for the frontends; nothing is lost in either."""
    report = face_report()
    assert FaceReport.model_validate(report.model_dump(mode="json")) == report
    outside = report.model_dump(mode="json", by_alias=True)
    assert outside["tone"]["class"] == "intermediate"
    assert outside["face"]["boundingBox"]["left"] == 0.31
    assert FaceReport.model_validate(outside) == report


@pytest.mark.parametrize(
    "error", [Rejected("a", "b"), Missing("a", "b"), Conflict("a", "b"), Unavailable("a", "b", retry_after=7)]
)
def test_errors_survive_the_way_between_processes(error: MienError) -> None:
    """Pickled and read back, an error still has its word, code, detail and pause."""
    back = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(back), str(back), vars(back)) == (type(error), str(error), vars(error))


def test_a_user_acts_for_themselves_and_a_tenant_for_its_users() -> None:
    """Another user is missing, as if there were none."""
    assert require_user(Caller("acme", "ann"), "ann") == "ann"
    assert require_user(Caller("acme", None), "ann") == "ann"
    with pytest.raises(Missing) as caught:
        require_user(Caller("acme", "bob"), "ann")
    assert caught.value.code == "user_not_found"
