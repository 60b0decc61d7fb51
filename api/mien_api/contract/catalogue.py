"""Every code that a client may meet, in a problem or as the error of a job: its status, what it means, what to do.

The one place where a code gets its status. docs/problems.md and /api/problems are made of it, and so is what OpenAPI
says of each operation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

# Where a running platform shows the catalogue. A problem's type is this and an anchor.
PATH: Final = "/api/problems"


@dataclass(frozen=True, slots=True)
class Entry:
    """One code. A job that fails with it is answered with the status where somebody waits for it."""

    status: HTTPStatus
    meaning: str
    remedy: str


_BAD = HTTPStatus.BAD_REQUEST
_PAYMENT = HTTPStatus.PAYMENT_REQUIRED
_UNAUTHORIZED = HTTPStatus.UNAUTHORIZED
_FORBIDDEN = HTTPStatus.FORBIDDEN
_MISSING = HTTPStatus.NOT_FOUND
_CONFLICT = HTTPStatus.CONFLICT
_GONE = HTTPStatus.GONE
_REJECTED = HTTPStatus.UNPROCESSABLE_ENTITY
_LIMITED = HTTPStatus.TOO_MANY_REQUESTS
_AWAY = HTTPStatus.SERVICE_UNAVAILABLE

_CHECK_ID: Final = "Check the id, and that the credential is the owner's."
_AGAIN: Final = "Repeat it after Retry-After seconds, with the same Idempotency-Key."
_ANOTHER_PHOTO: Final = "Follow the detail and take another photo."

GROUPS: Final[Mapping[str, Mapping[str, Entry]]] = MappingProxyType(
    {
        "The request": {
            "unknown_look": Entry(_REJECTED, "There is no such look.", "The detail names the looks there are."),
            "user_id_missing": Entry(_REJECTED, "It isn't said for whom.", "Send user_id; a token may leave it out."),
            "malformed_json": Entry(_BAD, "The body is not JSON that can be read.", "Send a JSON object in UTF-8."),
            "malformed_form": Entry(
                _BAD, "The body is not the form that its header announces.", "Let a library write multipart/form-data."
            ),
            "invalid_request": Entry(
                _REJECTED,
                "Fields or parameters are missing or wrong.",
                "errors names each by a JSON pointer; correct those.",
            ),
            "unsupported_media_type": Entry(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "The body is of a type that this operation doesn't take.",
                "Send the Content-Type that the detail names.",
            ),
            "request_too_large": Entry(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "The body has more bytes than this operation takes.",
                "Send less; photos go to the URL that POST /upload-url gives.",
            ),
            "route_not_found": Entry(_MISSING, "There is no such path.", "/openapi.json lists the paths there are."),
            "method_not_allowed": Entry(
                HTTPStatus.METHOD_NOT_ALLOWED, "The path knows other methods.", "Allow names them."
            ),
            "invalid_cursor": Entry(
                _BAD, "The cursor is not one of this list with these filters.", "Begin again without a cursor."
            ),
            "users_differ": Entry(
                _REJECTED, "The query names another user than the form.", "Name one, or the same twice."
            ),
            "days_reversed": Entry(_REJECTED, "The first day is after the last one.", "Exchange them."),
            "too_many_days": Entry(_REJECTED, "More than 366 days were asked for at once.", "Ask for fewer."),
            "etag_mismatch": Entry(
                HTTPStatus.PRECONDITION_FAILED,
                "If-Match doesn't hold: somebody wrote since.",
                "Read it again and repeat the change.",
            ),
            "idempotency_key_malformed": Entry(
                _BAD,
                "The Idempotency-Key is empty, too long, repeated, or has other than visible ASCII characters.",
                "Send one key of 1 to 255 characters, such as a UUID.",
            ),
            "idempotency_key_reused": Entry(
                _REJECTED,
                "The Idempotency-Key was first sent with another request.",
                "Use a new key for a new request.",
            ),
            "request_in_flight": Entry(
                _CONFLICT,
                "The first request with this Idempotency-Key is still being worked on.",
                "Repeat it after Retry-After seconds to get its answer.",
            ),
        },
        "Credentials and limits": {
            "credential_missing": Entry(
                _UNAUTHORIZED,
                "The operation asks for a credential.",
                "Send a token or an API key in the Authorization header.",
            ),
            "credential_invalid": Entry(
                _UNAUTHORIZED,
                "The credential is unknown, revoked, expired, or not for this platform.",
                "Get a new token, or another API key.",
            ),
            "scope_missing": Entry(
                _FORBIDDEN,
                "The credential is not good for this application.",
                "Ask for one with the scope that the detail names.",
            ),
            "tenant_credential_required": Entry(
                _FORBIDDEN, "What was asked for is the tenant's, not a user's.", "Ask with an API key of the tenant."
            ),
            "consent_required": Entry(
                _FORBIDDEN,
                "Face analysis needs the consent of the person in the photo.",
                "Ask them, and say so by the field consent or the header Consent: given.",
            ),
            "rate_limited": Entry(
                _LIMITED,
                "More requests came than the caller or the address may send.",
                "Wait Retry-After seconds; RateLimit says what is left.",
            ),
            "too_many_streams": Entry(
                _LIMITED,
                "The tenant has as many event streams open as it may have.",
                "Close some, or come back after Retry-After seconds.",
            ),
            "issuer_unavailable": Entry(_AWAY, "The keys of the token's issuer can't be read at the moment.", _AGAIN),
        },
        "Things": {
            "insight_not_found": Entry(_MISSING, "There is no such insight, or it was erased.", _CHECK_ID),
            "insight_cancelled": Entry(_CONFLICT, "It was cancelled before it was written.", "Ask for another."),
            "poster_not_found": Entry(_MISSING, "There is no such poster, or it was erased.", _CHECK_ID),
            "poster_cancelled": Entry(_CONFLICT, "The poster was cancelled before it was made.", "Ask for another."),
            "email_taken": Entry(_CONFLICT, "Another user of the tenant has this email.", "Send another one, or none."),
            "upload_without_user": Entry(_CONFLICT, "The upload belongs to no user.", "Announce it with userId."),
            "purpose_not_cycle": Entry(_CONFLICT, "The upload has another purpose.", "Announce another."),
            "purpose_not_poster": Entry(_CONFLICT, "The upload has another purpose.", "Announce another."),
            "upload_not_found": Entry(_MISSING, "There is no such upload, or it is another's.", _CHECK_ID),
            "analysis_not_found": Entry(
                _MISSING, "There is no such analysis, or it is another's.", f"{_CHECK_ID} POST /analyze makes one."
            ),
            "job_not_found": Entry(_MISSING, "There is no such job, or it is another's.", _CHECK_ID),
            "entry_not_found": Entry(_MISSING, "There is no such journal entry, or it is another's.", _CHECK_ID),
            "period_not_found": Entry(_MISSING, "There is no such logged day, or it is another's.", _CHECK_ID),
            "scan_not_found": Entry(
                _MISSING, "There is no such line in the skin diary, or it is another's.", _CHECK_ID
            ),
            "session_not_found": Entry(
                _MISSING,
                "There is no such session, it began 24 hours ago, or it is another's.",
                f"{_CHECK_ID} Begin another one.",
            ),
            "category_not_found": Entry(
                _MISSING, "No overlays are of this category.", "GET /assets lists all that there are."
            ),
            "user_not_found": Entry(_MISSING, "There is no such user, or the caller may not act for them.", _CHECK_ID),
            "erasure_in_progress": Entry(
                _CONFLICT,
                "All that is held about this user is being erased.",
                "Try again when the erasure's job has ended; the user is somebody new then.",
            ),
            "legal_hold": Entry(
                _CONFLICT,
                "It must be kept: a legal hold covers it, so it can't be deleted or written over.",
                "Ask whoever runs the platform, or try again when the hold is lifted.",
            ),
            "certificate_not_found": Entry(
                _MISSING,
                "There is no certificate of such an erasure of this user.",
                "It is issued when the erasure's job has completed.",
            ),
            "erasure_not_cancellable": Entry(
                _CONFLICT, "The job is an erasure, which is carried out once it was asked for.", "Wait for its end."
            ),
            "erasure_superseded": Entry(
                _CONFLICT,
                "This erasure has ended, or another one was asked for after it had failed.",
                "Look at the newer erasure's job.",
            ),
            "upload_not_received": Entry(
                _CONFLICT,
                "The photo's bytes have not arrived.",
                "PUT them to the upload's URL; announce a new upload if that has expired.",
            ),
            "purpose_not_glam": Entry(
                _CONFLICT, "The upload was announced for another purpose.", "Announce another one with purpose glam."
            ),
            "analysis_cancelled": Entry(
                _CONFLICT, "The analysis was cancelled.", "Send the photo again, as another request."
            ),
            "job_already_ended": Entry(
                _CONFLICT, "The job has completed or failed, so it can't be cancelled.", "Read it with GET /jobs/{id}."
            ),
        },
        "Photos": {
            "unsupported_content_type": Entry(
                _REJECTED, "A photo can't be of this type.", "Convert it to JPEG, PNG or WebP."
            ),
            "photo_too_large": Entry(
                _REJECTED, "The photo has more than 10 MB; Skin Chapters and TryOnAI say 413.", "Send it smaller."
            ),
            "not_an_image": Entry(
                _REJECTED, "The bytes are no image; Skin Chapters says 400.", "Send a JPEG, PNG or WebP."
            ),
            "unsupported_image_format": Entry(
                _REJECTED, "It is an image of another format; Skin Chapters says 400.", "Send a JPEG, PNG or WebP."
            ),
            "truncated_image": Entry(
                _REJECTED, "The image ends early or is damaged; Skin Chapters says 400.", "Send the whole file again."
            ),
            "image_too_complex": Entry(
                _REJECTED, "The JPEG has too many scans; Skin Chapters says 400.", "Save it again as a plain JPEG."
            ),
            "metadata_too_large": Entry(
                _REJECTED,
                "The image carries more metadata than pixels need; Skin Chapters says 400.",
                "Save it again without metadata.",
            ),
            "too_few_pixels": Entry(_REJECTED, "The photo is too small to be measured.", "Send it larger."),
            "too_many_pixels": Entry(_REJECTED, "The photo has more pixels than are taken.", "Send it smaller."),
            "no_face": Entry(
                _REJECTED,
                "No face was found in the photo; Skin Chapters says 400.",
                "Send one in which a face is clearly visible, upright and near.",
            ),
            "photo_expired": Entry(_GONE, "The photo is no longer kept.", "Upload it again."),
            "photo_not_found": Entry(_REJECTED, "The photo was gone when its work began.", "Upload it again."),
            "object_not_found": Entry(_REJECTED, "The photo was gone when its work began.", "Upload it again."),
            "cancelled": Entry(_CONFLICT, "The session was cancelled.", "Begin another one."),
            "session_expired": Entry(_GONE, "The session was over when its work began.", "Begin another one."),
            "look_not_supported": Entry(
                _REJECTED,
                "The look has nothing that can be rendered.",
                "Choose one with lipstick, blush or eyeshadow.",
            ),
            "skin_not_visible": Entry(
                _REJECTED, "The photo shows too little of the skin to say anything of it.", _ANOTHER_PHOTO
            ),
            "resolution": Entry(_REJECTED, "The photo has too few pixels for the skin.", _ANOTHER_PHOTO),
            "multiple_faces": Entry(_REJECTED, "There are several faces in the photo.", _ANOTHER_PHOTO),
            "face_too_small": Entry(_REJECTED, "The face has too few pixels.", _ANOTHER_PHOTO),
            "face_out_of_bounds": Entry(_REJECTED, "The photo cuts the face.", _ANOTHER_PHOTO),
            "pose_yaw": Entry(_REJECTED, "The head is turned to a side.", _ANOTHER_PHOTO),
            "pose_pitch": Entry(_REJECTED, "The head looks up or down.", _ANOTHER_PHOTO),
            "pose_roll": Entry(_REJECTED, "The head is tilted.", _ANOTHER_PHOTO),
            "blur": Entry(_REJECTED, "The face is not sharp.", _ANOTHER_PHOTO),
            "underexposed": Entry(_REJECTED, "The face is too dark.", _ANOTHER_PHOTO),
            "overexposed": Entry(_REJECTED, "The face is too bright.", _ANOTHER_PHOTO),
            "uneven_light": Entry(_REJECTED, "One side of the face gets more light.", _ANOTHER_PHOTO),
            "shadow": Entry(_REJECTED, "A shadow lies on the face.", _ANOTHER_PHOTO),
            "occlusion": Entry(_REJECTED, "Something hides the face.", _ANOTHER_PHOTO),
            "eyeglasses": Entry(_REJECTED, "The person wears glasses.", _ANOTHER_PHOTO),
            "too_little_skin": Entry(_REJECTED, "Too little skin can be seen.", _ANOTHER_PHOTO),
            "eyes_closed": Entry(_REJECTED, "The eyes are closed.", _ANOTHER_PHOTO),
            "colour_cast": Entry(_REJECTED, "The light is coloured.", _ANOTHER_PHOTO),
            "noise": Entry(_REJECTED, "The camera's noise hides the skin.", _ANOTHER_PHOTO),
            "smoothed": Entry(_REJECTED, "A beauty filter hides the skin.", _ANOTHER_PHOTO),
        },
        "Credits and payments": {
            "insufficient_credits": Entry(_PAYMENT, "The user has too few credits.", "Buy some with POST /pay."),
            "unknown_pack": Entry(_REJECTED, "There is no such pack.", "The detail names the packs."),
            "payment_not_found": Entry(_MISSING, "There is no such payment.", "Send events of this platform's alone."),
            "payment_mismatch": Entry(
                _CONFLICT,
                "The event's amount or currency is not the order's.",
                "See the audit log.",
            ),
            "payments_unavailable": Entry(
                _AWAY, "No payment provider is set up here.", "Ask whoever runs the platform."
            ),
            "signature_invalid": Entry(
                _BAD, "The event is not signed with this endpoint's secret.", "Check the secret."
            ),
            "signature_too_old": Entry(_BAD, "The event was signed too long ago, or ahead.", "Check the clocks."),
        },
        "Webhooks": {
            "webhook_not_found": Entry(_MISSING, "There is no such webhook.", _CHECK_ID),
            "webhook_url_invalid": Entry(_REJECTED, "The URL can't be used.", "Send another https URL."),
            "webhook_address_refused": Entry(
                _REJECTED, "The host's address is private or not to be reached from here.", "Name a public host."
            ),
            "webhook_disabled": Entry(_CONFLICT, "The webhook is disabled.", "Register it anew."),
            "too_many_webhooks": Entry(_CONFLICT, "The tenant has as many webhooks as it may.", "Delete one."),
            "host_unresolved": Entry(_AWAY, "The host's name has no address now.", _AGAIN),
            "webhooks_unavailable": Entry(_AWAY, "Webhooks are not set up here.", "Ask whoever runs the platform."),
        },
        "The operator": {
            "hold_not_found": Entry(_MISSING, "There is no such legal hold.", "Check the id, or write it."),
            "hold_differs": Entry(
                _CONFLICT,
                "A hold with this id covers something else, and what one covers never changes.",
                "Write another one.",
            ),
            "hold_released": Entry(_CONFLICT, "This hold was lifted and keeps nothing any more.", "Write another one."),
            "erasure_not_found": Entry(_MISSING, "Nobody asked for such an erasure.", "Check the id, or ask for it."),
            "request_differs": Entry(
                _CONFLICT, "A request with this id is about somebody else.", "Ask under an id of its own."
            ),
            "retention_run_not_found": Entry(
                _MISSING, "There is no such run of retention.", "Ask for it, or look for its policy's runs."
            ),
            "retention_run_not_proposed": Entry(
                _CONFLICT, "The run is no proposal.", "Look at its state; approve the next one."
            ),
            "retention_proposal_expired": Entry(
                _CONFLICT, "The proposal waited too long for its approval.", "Approve the next run's."
            ),
        },
        "The platform": {
            "internal_error": Entry(
                HTTPStatus.INTERNAL_SERVER_ERROR,
                "Something went wrong on our side; it was noted under the request_id.",
                "Repeat it once; if it stays, tell whoever runs the platform the request_id.",
            ),
            "overloaded": Entry(_AWAY, "Too much waits to be done.", _AGAIN),
            "streams_full": Entry(
                _AWAY, "As many event streams are open as this server holds.", "Come back after Retry-After seconds."
            ),
            "erasure_contended": Entry(_AWAY, "Erasures of this user begin and end in this moment.", _AGAIN),
            "erasure_incomplete": Entry(
                _AWAY, "Something about the user came back as often as it was erased.", "Ask for the erasure again."
            ),
            "deadline_exceeded": Entry(_AWAY, "The work was not done in time.", "Send the photo again later."),
            "serving_unavailable": Entry(_AWAY, "The models can't be reached.", "Send the photo again later."),
            "bedrock_unavailable": Entry(_AWAY, "The language model can't be reached.", _AGAIN),
            "database_unavailable": Entry(_AWAY, "The database can't be reached.", _AGAIN),
            "object_store_unavailable": Entry(_AWAY, "The object store can't be reached.", _AGAIN),
        },
    }
)

CATALOGUE: Final[Mapping[str, Entry]] = MappingProxyType(
    {code: entry for group in GROUPS.values() for code, entry in group.items()}
)


def type_of(code: str) -> str:
    """Give the problem's type: where the platform says more of it."""
    return f"{PATH}#{code}"


def title_of(code: str) -> str:
    """Give the problem's title: the code as people write."""
    return code.replace("_", " ").capitalize()
