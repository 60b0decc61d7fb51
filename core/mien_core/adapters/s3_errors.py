"""S3's errors as the house's: what obstore and boto3 raise, by status and code; what isn't expected stays a bug."""

import re
from http import HTTPStatus
from typing import Final

from botocore.exceptions import ClientError

from mien_core.errors import Missing, Unavailable

# A HEAD has no body, so botocore makes a code of its status, and obstore has none.
_MISSING_CODES: Final = frozenset({"NoSuchKey", "NotFound", "404", ""})
# Some servers answer an unknown access key with 404, so it can't be told from a missing object by status.
_REFUSALS: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})
_BUSY_CODES: Final = frozenset(
    {"SlowDown", "Throttling", "ThrottlingException", "RequestTimeout", "RequestTimeTooSkewed", "ExpiredToken"}
)

# obstore's errors carry the answer as text only: its status, then the body with S3's code.
_STATUS: Final = re.compile(r"status code: (\d{3})")
_CODE: Final = re.compile(r"<Code>(\w+)</Code>")


def of_obstore(error: Exception) -> Exception:
    """The house's error for one of obstore's, which has no status where no answer came; itself where it is a bug."""
    text = str(error)
    status, code = _STATUS.search(text), _CODE.search(text)
    if status is None:
        no_credentials = "NoCredentialsError" in text
        return unavailable("got no credentials from this process" if no_credentials else "can't be reached")
    return _of_answer(int(status[1]), code[1] if code else "") or error


def of_boto3(error: ClientError) -> Exception:
    """The house's error for one of boto3's; itself where it is a bug."""
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return _of_answer(status, error.response["Error"].get("Code", "")) or error


def unavailable(what: str) -> Unavailable:
    """The object store does this, so it can't be used for now."""
    return Unavailable("object_store_unavailable", f"The object store {what}; try again later.")


def _of_answer(status: int, code: str) -> Exception | None:
    if code == "NoSuchBucket":
        return unavailable("has no such bucket")
    if status == HTTPStatus.NOT_FOUND and code in _MISSING_CODES:
        return Missing("object_not_found", "There is no such object; it was never written, or has expired.")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS or code in _BUSY_CODES:
        return unavailable(f"is busy or failing ({code or status})")
    if status in _REFUSALS:
        return unavailable(f"refuses these credentials ({code or status})")
    return None
