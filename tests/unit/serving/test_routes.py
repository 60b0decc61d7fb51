"""The router's decisions and its words to HTTP clients, without Ray."""

import json

import pytest
from pydantic import ValidationError

from mien_core.errors import Conflict, MienError, Missing, Rejected, Unavailable
from mien_core.model.comparisons import Comparison
from mien_core.model.serving import FaceRequest, PosterRequest
from mien_core.model.tryon import TryOnRequest
from mien_core.rules.serve_config import Revision, ServeOptions, Shadowing, render, revision_name
from mien_core.rules.tryon import LOOKS
from mien_serving import etags
from mien_serving.problems import problem_of
from mien_serving.routes import RouterConfig, Routes, parse_poster_request, parse_request, parse_try_on

A, B = (
    Revision(revision_name(digest), "s3://models/x", digest) for digest in ("sha256:" + "a" * 64, "sha256:" + "b" * 64)
)


def routes(weight_of_b: float) -> Routes:
    config = render([A, B], {A.name: 1 - weight_of_b, B.name: weight_of_b}, ServeOptions())
    user_config = config["applications"][0]["deployments"][0]["user_config"]
    return Routes(RouterConfig.model_validate(user_config))


def request(revision: str | None = None, subject: str = "tenant/user") -> FaceRequest:
    return FaceRequest(upload_id="u", photo_key="uploads/u/photo", subject=subject, revision=revision)


def test_the_rendered_configuration_is_understood() -> None:
    """What core renders as user_config is what the router reads, weights and applications."""
    assert routes(0.25).weights == {A.name: 0.75, B.name: 0.25}
    assert routes(0.25).applications == {A.application, B.application}
    assert routes(0.0).applications == {A.application, B.application}
    assert routes(0.0).weighted_applications == {A.application}


def test_what_is_compared_is_understood() -> None:
    """What core renders of a comparison is what the router reads; without one there is none."""
    shadowing = Shadowing("rollout", 2, A.name, B.name, 25)
    config = render([A, B], {A.name: 1.0}, ServeOptions(), shadowing)
    read = RouterConfig.model_validate(config["applications"][0]["deployments"][0]["user_config"])
    assert read.shadow is not None
    assert read.shadow.comparison == Comparison("rollout", 2, A.name, B.name)
    assert read.shadow.percent == 25
    assert routes(0.0).config.shadow is None


def test_all_weight_is_everybody() -> None:
    """A revision with all the weight gets every subject."""
    subjects = [f"user-{number}" for number in range(50)]
    assert {routes(1.0).revision_for(request(subject=subject)) for subject in subjects} == {B.name}
    assert routes(1.0).application_of(B.name) == B.application


def test_a_named_revision_is_taken_whatever_its_weight() -> None:
    """Naming a revision reaches it even dark, at weight 0."""
    assert routes(0.0).revision_for(request(revision=B.name)) == B.name


def test_an_unknown_revision_is_missing() -> None:
    """A revision that doesn't run is Missing, never silently another one."""
    with pytest.raises(Missing, match="revision_not_found"):
        routes(0.0).revision_for(request(revision="face@sha256:cccccccccccc"))


def test_a_router_without_revisions_is_unavailable() -> None:
    """Before its first configuration the router asks callers to come again."""
    with pytest.raises(Unavailable, match="no_revision_available"):
        Routes(RouterConfig(revisions={})).revision_for(request())


@pytest.mark.parametrize(
    ("header", "named"),
    [
        (f'"{etags.etag_of(A.name)}"', True),
        (f'W/"{etags.etag_of(A.name)}"', True),
        (f'"other", "{etags.etag_of(A.name)}"', True),
        (f'"{etags.etag_of(B.name)}"', False),
        (etags.etag_of(A.name), False),
        ("*", False),
        ("", False),
        (None, False),
    ],
)
def test_an_etag_is_found_in_its_header(header: str | None, *, named: bool) -> None:
    """A kept answer is confirmed only by the very etag that it carries, quoted as RFC 9110 has it."""
    assert etags.names(header, etags.etag_of(A.name)) is named


def test_a_change_of_the_measures_changes_the_etag(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was kept under other measures is not confirmed, though the model revision is the same."""
    before = etags.etag_of(A.name)
    monkeypatch.setattr(etags, "MEASURES", etags.MEASURES + 1)
    assert etags.etag_of(A.name) != before


def test_a_configuration_of_another_shape_is_refused() -> None:
    """Serve hears at once about a user_config that the router doesn't understand."""
    with pytest.raises(ValidationError):
        RouterConfig.model_validate({"weights": {A.name: 1}})


@pytest.mark.parametrize(
    "body", [b"", b"no json", b"[]", b"{}", b'{"uploadId": "u", "photoKey": "k", "subject": "s", "more": 1}']
)
def test_malformed_requests_are_rejected(body: bytes) -> None:
    """A body that is no request for a face analysis or a poster is refused with what is wrong with it."""
    for parse in (parse_request, parse_poster_request):
        with pytest.raises(Rejected, match="malformed_request"):
            parse(body)


def test_requests_are_read_in_both_spellings() -> None:
    """Names as inside the platform and names as in the contracts both arrive."""
    assert parse_request(request().model_dump_json().encode()) == request()
    assert parse_request(request().model_dump_json(by_alias=True).encode()) == request()
    poster = PosterRequest(
        job_id="j",
        poster_key="posters/j.png",
        upload_id=None,
        title="The Sea",
        prompt="A door.",
        genre="drama",
        style="noir",
        aspect="2:3",
    )
    assert parse_poster_request(poster.model_dump_json().encode()) == poster


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Rejected("no_face", "d"), 422),
        (Missing("photo_not_found", "d"), 404),
        (Conflict("c", "d"), 409),
        (Unavailable("serving_full", "d", retry_after=2.4), 503),
    ],
)
def test_errors_become_problems(error: MienError, status: int) -> None:
    """Each of the four errors has its status; code and detail go through."""
    response = problem_of(error)
    body = json.loads(bytes(response.body))
    assert (response.status_code, body["status"]) == (status, status)
    assert response.headers["content-type"] == "application/problem+json"
    assert (body["code"], body["detail"]) == (error.code, error.detail)
    assert set(body) == {"type", "title", "status", "detail", "code"}
    assert response.headers.get("retry-after") == ("2" if status == 503 else None)


def test_a_try_on_is_routed_as_an_analysis_is() -> None:
    """It survives its way as JSON, and the same subject gets the same revision for both."""
    asked = TryOnRequest(
        upload_id="u", photo_key="uploads/u/photo", subject="tenant/user", job_id="j", presets=LOOKS["berry"]
    )
    assert parse_try_on(asked.model_dump_json().encode()) == asked
    assert routes(0.5).revision_for(asked) == routes(0.5).revision_for(request())
    with pytest.raises(Rejected, match="jobId"):
        parse_try_on(request().model_dump_json().encode())
