"""The platform as a frontend sees it: REST and a presigned PUT, nothing else."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urljoin

import httpx

from mien_core.errors import MienError, Missing, Rejected, Unavailable

_SIGNATURES = (
    (b"\xff\xd8\xff", 0, "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", 0, "image/png"),
    (b"WEBP", 8, "image/webp"),
)
_WAIT_SECONDS = 30
_PATIENT = {"Prefer": f"wait={_WAIT_SECONDS}"}
_GIVE_UP_SECONDS = 120.0
_POLL_SECONDS = 0.5
_NOT_FOUND, _SERVER_ERROR = 404, 500


@dataclass(frozen=True)
class Result:
    """What came back: the analysis and the job in the API's own words, and the seconds of each call."""

    analysis: Mapping[str, Any]
    job: Mapping[str, Any]
    seconds: Mapping[str, float]


def content_type_of(photo: bytes) -> str:
    """The media type by the file's first bytes; names lie."""
    for signature, offset, media_type in _SIGNATURES:
        if photo[offset : offset + len(signature)] == signature:
            return media_type
    return "application/octet-stream"


class Client:
    """Calls one platform with one credential.

    Args:
        url: of the API.
        key: an API key.
        note: takes a line of progress for a person.
        transport: of httpx, for tests.
    """

    def __init__(
        self,
        url: str,
        key: str,
        note: Callable[[str], None] = lambda _line: None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=_WAIT_SECONDS + 10.0,
            transport=transport,
        )
        # S3 must not see the API's credential
        self._store = httpx.Client(timeout=60.0, transport=transport)
        self._note = note

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()
        self._store.close()

    def analyse(self, photo: bytes) -> Result:
        """Send a photo and wait for its analysis.

        Raises:
            MienError: with the problem's code and detail, one of the four words by its status.
        """
        seconds: dict[str, float] = {}
        began = time.perf_counter()

        def lap(name: str) -> None:
            nonlocal began
            seconds[name] = time.perf_counter() - began
            began = time.perf_counter()

        self._note("asks where to put the photo")
        upload = self.call("POST", "/upload-url", {"contentType": content_type_of(photo), "contentLength": len(photo)})
        lap("POST /upload-url")
        self._note(f"uploads {len(photo) / 1024:.0f} kB")
        self._put(upload, photo)
        lap("PUT to S3")
        self._note("waits for the analysis")
        analysis = self._analysis(str(upload["uploadId"]))
        lap("POST /analyze")
        job = self.call("GET", f"/jobs/{analysis['jobId']}")
        return Result(analysis, job, seconds)

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """Make one call; what it answers.

        Raises:
            MienError: with the problem's code and detail, one of the four words by its status.
        """
        return _body(self._send(method, path, body))

    def send_photo(self, path: str, photo: bytes, fields: Mapping[str, str], result: str) -> Mapping[str, Any]:
        """Send a photo as a browser's form does, and wait for what comes of it.

        Args:
            path: where to.
            photo: the file's bytes.
            fields: what is sent besides.
            result: where the result is read once its job is done, if that takes long; {id} is the job's.

        Raises:
            MienError: likewise, or of the job's failure.
        """
        image = ("photo", photo, content_type_of(photo))
        return self._done(self._send("POST", path, None, _PATIENT, files={"image": image}, data=fields), result)

    def wait_for(self, path: str, result: str) -> Mapping[str, Any]:
        """GET what begins work and answers its result, if need be later at result; {id} is the job's.

        Raises:
            MienError: likewise, or of the job's failure.
        """
        return self._done(self._send("GET", path, None, _PATIENT), result)

    def until_ended(self, path: str) -> Mapping[str, Any]:
        """GET what has a status until that is an end.

        Raises:
            MienError: likewise, or of the failure; too_slow.
        """
        deadline = time.monotonic() + _GIVE_UP_SECONDS
        while (work := self.call("GET", path))["status"] not in {"completed", "failed", "cancelled"}:
            if time.monotonic() > deadline:
                raise Unavailable("too_slow", f"It was not done after {_GIVE_UP_SECONDS:.0f} s: {path}")
            time.sleep(_POLL_SECONDS)
        _raise_if_failed(work)
        return work

    def download(self, url: str) -> bytes:
        """What a presigned URL leads to.

        Raises:
            Unavailable: download_failed.
        """
        try:
            answer = self._store.get(url)
        except httpx.TransportError as error:
            raise Unavailable("download_failed", f"The store does not answer: {error}") from error
        if not answer.is_success:
            raise Unavailable("download_failed", f"The store answered {answer.status_code}: {answer.text}")
        return answer.content

    def _put(self, upload: Mapping[str, Any], photo: bytes) -> None:
        try:
            answer = self._store.request(
                upload["method"], upload["uploadUrl"], content=photo, headers=dict(upload["headers"])
            )
        except httpx.TransportError as error:
            raise Unavailable("upload_failed", f"The store does not answer: {error}") from error
        if not answer.is_success:
            raise Rejected("upload_failed", f"The store answered {answer.status_code}: {answer.text}")

    def _analysis(self, upload_id: str) -> Mapping[str, Any]:
        analysis = self._done(self._send("POST", "/analyze", {"uploadId": upload_id}, _PATIENT), f"/look/{upload_id}")
        _raise_if_failed(analysis)
        return analysis

    def _done(self, answer: httpx.Response, result: str) -> Mapping[str, Any]:
        """The body of an answer, or of the result once the job that was answered has ended."""
        body = _body(answer)
        if answer.status_code != httpx.codes.ACCEPTED:
            return body
        job = self.until_ended(urljoin(str(answer.url), answer.headers.get("Location", "")))
        return self.call("GET", result.format(id=job["id"]))

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        **form: Any,
    ) -> httpx.Response:
        try:
            return self._http.request(method, path, json=body, headers=dict(headers or {}), **form)
        except httpx.TransportError as error:
            detail = f"{self._http.base_url} does not answer ({error}). Is the platform up? `mien up` starts it."
            raise Unavailable("api_unavailable", detail) from error


def _body(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        body = {}
    if answer.is_success and isinstance(body, dict):
        return body
    problem = body if isinstance(body, dict) else {}
    code = str(problem.get("code", f"http_{answer.status_code}"))
    detail = str(problem.get("detail") or problem.get("title") or answer.text[:500])
    raise _word(answer.status_code)(code, detail)


def _raise_if_failed(work: Mapping[str, Any]) -> None:
    if work.get("status") in {"failed", "cancelled"}:
        error = work.get("error") or {}
        raise Rejected(str(error.get("code", work["status"])), str(error.get("detail", "The analysis has no result.")))


def _word(status: int) -> type[MienError]:
    if status == _NOT_FOUND:
        return Missing
    return Unavailable if status >= _SERVER_ERROR else Rejected
