"""The client of the demonstration, against an API that answers as the contract says."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from mien_core.errors import MienError, Missing, Rejected, Unavailable
from mien_local.client import Client, content_type_of

API, STORE = "http://api", "http://store"
ANALYSIS = {"uploadId": "u", "jobId": "j", "status": "completed", "annotatedUrl": f"{STORE}/annotated"}
UPLOAD = {
    "uploadId": "u",
    "uploadUrl": f"{STORE}/original",
    "method": "PUT",
    "headers": {"Content-Type": "image/png"},
    "expiresIn": 900,
}


class Platform:
    """Answers by method and path; an answer may be a list, of which each request takes one."""

    def __init__(self, **changes: Any) -> None:
        self.requests: list[httpx.Request] = []
        self.answers: dict[str, Any] = {
            "POST /upload-url": (200, UPLOAD),
            "PUT /original": (200, None),
            "POST /analyze": (200, ANALYSIS),
            "GET /jobs/j": (200, {"id": "j", "status": "completed", "timings": {"outbox": 1.0}}),
            "GET /look/u": (200, ANALYSIS),
            **changes,
        }

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers[f"{request.method} {request.url.path}"]
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, body, *headers = answer
        return httpx.Response(status, json=body, headers=headers[0] if headers else None)

    def sent(self, line: str) -> httpx.Request:
        return next(each for each in self.requests if f"{each.method} {each.url.path}" == line)


def client(platform: Callable[[httpx.Request], httpx.Response]) -> Client:
    return Client(API, "secret", transport=httpx.MockTransport(platform))


def test_a_photo_goes_the_way_of_a_frontend() -> None:
    """Type and length are announced, the bytes go to the store as it asked, and the wait is asked for."""
    platform = Platform()
    result = client(platform).analyse(b"\x89PNG\r\n\x1a\n-pixels")
    assert result.analysis == ANALYSIS
    assert result.job["timings"] == {"outbox": 1.0}
    assert json.loads(platform.sent("POST /upload-url").content) == {"contentType": "image/png", "contentLength": 15}
    put = platform.sent("PUT /original")
    assert put.content == b"\x89PNG\r\n\x1a\n-pixels"
    assert put.headers["Content-Type"] == "image/png"
    assert platform.sent("POST /analyze").headers["Prefer"] == "wait=30"
    assert set(result.seconds) == {"POST /upload-url", "PUT to S3", "POST /analyze"}


def test_the_credential_goes_to_the_api_and_nowhere_else() -> None:
    """The store gets no Authorization header: it would refuse the request, and may not know the key."""
    platform = Platform()
    client(platform).analyse(b"x")
    assert platform.sent("POST /analyze").headers["Authorization"] == "Bearer secret"
    assert "Authorization" not in platform.sent("PUT /original").headers


def test_an_analysis_that_takes_longer_is_waited_for() -> None:
    """202 and a Location lead to the job, and the finished job to the analysis."""
    platform = Platform(
        **{
            "POST /analyze": (202, {"jobId": "j"}, {"Location": "/jobs/j"}),
            "GET /jobs/j": [
                (200, {"id": "j", "status": "processing"}),
                (200, {"id": "j", "status": "completed"}),
                (200, {"id": "j", "status": "completed", "timings": {}}),
            ],
        }
    )
    assert client(platform).analyse(b"x").analysis == ANALYSIS


@pytest.mark.parametrize(
    ("line", "answer", "word", "code"),
    [
        ("POST /analyze", (422, {"code": "no_face", "detail": "No face."}), Rejected, "no_face"),
        ("POST /analyze", (404, {"code": "upload_not_found", "detail": ""}), Missing, "upload_not_found"),
        ("POST /analyze", (503, {"code": "full", "detail": "Later."}), Unavailable, "full"),
        ("POST /analyze", (502, "bad gateway"), Unavailable, "http_502"),
        ("POST /analyze", (200, {"status": "failed", "error": {"code": "blur", "detail": "-"}}), Rejected, "blur"),
        ("POST /upload-url", httpx.ConnectError("refused"), Unavailable, "api_unavailable"),
        ("PUT /original", (403, {}), Rejected, "upload_failed"),
        ("PUT /original", httpx.ConnectError("refused"), Unavailable, "upload_failed"),
    ],
)
def test_what_goes_wrong_keeps_its_code(line: str, answer: Any, word: type[MienError], code: str) -> None:
    """The problem's code reaches the person, whatever it came with; a broken connection has one, too."""
    with pytest.raises(word) as raised:
        client(Platform(**{line: answer})).analyse(b"x")
    assert raised.value.code == code


def test_a_job_that_failed_while_it_was_waited_for_tells_its_reason() -> None:
    """The error of the job is the error of the call."""
    failed = {"id": "j", "status": "failed", "error": {"code": "no_face", "detail": "No face."}}
    platform = Platform(
        **{"POST /analyze": (202, {"jobId": "j"}, {"Location": "/jobs/j"}), "GET /jobs/j": (200, failed)}
    )
    with pytest.raises(Rejected, match="no_face"):
        client(platform).analyse(b"x")


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"\xff\xd8\xff\xe0rest", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\nrest", "image/png"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"GIF89a", "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
)
def test_the_bytes_decide_the_type(content: bytes, media_type: str) -> None:
    """A WebP that is called .jpg is announced as WebP."""
    assert content_type_of(content) == media_type
