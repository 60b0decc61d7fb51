"""Which problems each operation may answer with: what is its own stands here, the rest follows from its shape.

A route that is added needs an entry in OWN, be it an empty one; what that is missing is found by tests/fuzz.
"""

from collections.abc import Mapping
from typing import Any, Final

from mien_api.contract.catalogue import CATALOGUE

METHODS: Final = frozenset({"get", "put", "post", "delete", "patch"})
_SAFE: Final = frozenset({"get"})
_WRITING: Final = frozenset({"put", "post", "patch"})

# What a photo may be refused for, by the api's own door or by the job.
_PHOTO: Final = (
    "not_an_image",
    "unsupported_image_format",
    "truncated_image",
    "image_too_complex",
    "metadata_too_large",
    "photo_too_large",
    "too_few_pixels",
    "too_many_pixels",
    "no_face",
)
# How the work on a photo may end otherwise.
_WORK: Final = ("photo_expired", "photo_not_found", "object_not_found", "deadline_exceeded", "serving_unavailable")
# What an application that lives by the skin refuses as well.
_SKIN: Final = (
    "skin_not_visible",
    "resolution",
    "multiple_faces",
    "face_too_small",
    "face_out_of_bounds",
    "pose_yaw",
    "pose_pitch",
    "pose_roll",
    "blur",
    "underexposed",
    "overexposed",
    "uneven_light",
    "shadow",
    "occlusion",
    "eyeglasses",
    "too_little_skin",
    "eyes_closed",
    "colour_cast",
    "noise",
    "smoothed",
)

_ANNOUNCEMENT: Final = (
    "unsupported_content_type",
    "photo_too_large",
    "consent_required",
    "object_store_unavailable",
)
_POSTER: Final = (
    "user_id_missing",
    "upload_not_found",
    "upload_not_received",
    "purpose_not_poster",
    "insufficient_credits",
    "poster_not_found",
    "poster_cancelled",
    "overloaded",
    "object_store_unavailable",
    *_PHOTO,
    *_WORK,
)
_WEBHOOK_URL: Final = (
    "webhook_url_invalid",
    "webhook_address_refused",
    "too_many_webhooks",
    "host_unresolved",
    "webhooks_unavailable",
)

# By operationId, which is the name of the route's function.
OWN: Final[Mapping[str, tuple[str, ...]]] = {
    "announce_upload": _ANNOUNCEMENT,
    "announce_upload_by_query": (*_ANNOUNCEMENT, "overloaded"),
    "analyze": (
        "upload_not_found",
        "upload_not_received",
        "purpose_not_glam",
        "analysis_cancelled",
        "overloaded",
        "object_store_unavailable",
        *_PHOTO,
        *_WORK,
    ),
    "look": ("upload_not_found", "analysis_not_found", "object_store_unavailable"),
    "get_recommendation": ("upload_not_found", "analysis_not_found"),
    "list_assets": ("object_store_unavailable",),
    "list_assets_of_category": ("category_not_found", "object_store_unavailable"),
    "save_look": ("upload_not_found",),
    "list_looks": (),
    "analyze_skin": (
        "users_differ",
        "consent_required",
        "analysis_cancelled",
        "analysis_not_found",
        "overloaded",
        "object_store_unavailable",
        *_PHOTO,
        *_SKIN,
        *_WORK,
    ),
    "get_skin_analysis": (
        "analysis_not_found",
        "analysis_cancelled",
        "object_store_unavailable",
        *_PHOTO,
        *_SKIN,
        *_WORK,
    ),
    "write_entry": (),
    "get_entry": ("entry_not_found",),
    "rewrite_entry": ("entry_not_found", "legal_hold"),
    "remove_entry": ("entry_not_found", "legal_hold"),
    "list_entries": (),
    "log_period": ("legal_hold",),
    "remove_period": ("period_not_found", "legal_hold"),
    "list_periods": (),
    "predict": (),
    "add_scan": (),
    "remove_scan": ("scan_not_found", "legal_hold"),
    "list_scans": (),
    "analyze_scan": (
        "consent_required",
        "upload_not_found",
        "upload_not_received",
        "upload_without_user",
        "purpose_not_cycle",
        "analysis_cancelled",
        "scan_not_found",
        "overloaded",
        "object_store_unavailable",
        *_PHOTO,
        *_SKIN,
        *_WORK,
    ),
    "get_scan": ("scan_not_found", "analysis_cancelled", *_PHOTO, *_SKIN, *_WORK),
    "ask_for_insight": (
        "days_reversed",
        "too_many_days",
        "insight_not_found",
        "insight_cancelled",
        "overloaded",
        "deadline_exceeded",
        "bedrock_unavailable",
    ),
    "list_insights": (),
    "create_user": ("user_id_missing", "email_taken"),
    "get_user": ("user_id_missing", "user_not_found"),
    "make_poster": _POSTER,
    "get_poster": _POSTER,
    "list_posters": ("user_id_missing", "object_store_unavailable"),
    "pay": (
        "user_id_missing",
        "unknown_pack",
        "payment_not_found",
        "payment_mismatch",
        "payments_unavailable",
        "signature_invalid",
        "signature_too_old",
    ),
    "register_webhook": _WEBHOOK_URL,
    "list_webhooks": ("webhooks_unavailable",),
    "delete_webhook": ("webhook_not_found", "webhooks_unavailable"),
    "rotate_secret": ("webhook_not_found", "webhooks_unavailable"),
    "send_test": ("webhook_not_found", "webhook_disabled", "webhooks_unavailable"),
    "create_session": (
        "unknown_look",
        "consent_required",
        "overloaded",
        "object_store_unavailable",
        *(code for code in _PHOTO if code != "no_face"),
    ),
    "get_session": ("session_not_found", "object_store_unavailable"),
    "get_job": ("job_not_found",),
    "cancel_job": ("job_not_found", "job_already_ended", "erasure_not_cancellable"),
    "stream_job": ("job_not_found", "too_many_streams", "streams_full"),
    "export_user": (),
    "erase_user": ("erasure_contended", "legal_hold"),
    "get_certificate": ("certificate_not_found",),
    "usage": ("tenant_credential_required", "days_reversed", "too_many_days"),
    "health": (),
    "ask_for_retention_run": (),
    "list_retention_runs": (),
    "get_retention_run": ("retention_run_not_found",),
    "list_retention_items": ("retention_run_not_found",),
    "approve_retention_run": (
        "retention_run_not_found",
        "retention_run_not_proposed",
        "retention_proposal_expired",
    ),
    "stop_retention_run": ("retention_run_not_found",),
    "place_hold": ("hold_differs", "hold_released"),
    "list_holds": (),
    "get_hold": ("hold_not_found",),
    "release_hold": ("hold_not_found",),
    "ask_for_erasure": ("request_differs", "erasure_contended"),
    "get_erasure": ("erasure_not_found",),
    "get_erasure_certificate": ("erasure_not_found", "certificate_not_found"),
}

_SKIN_STATUSES: Final = {
    **dict.fromkeys(
        (
            "not_an_image",
            "unsupported_image_format",
            "truncated_image",
            "image_too_complex",
            "metadata_too_large",
            "no_face",
        ),
        400,
    ),
    "photo_too_large": 413,
}
# Where a contract fixes another status than the catalogue's.
STATUSES: Final[Mapping[str, Mapping[str, int]]] = {
    "analyze_skin": _SKIN_STATUSES,
    "get_skin_analysis": _SKIN_STATUSES,
    "create_session": {"photo_too_large": 413},
}
# Whom nobody counts, and what needs no database.
_PLAIN: Final = frozenset({"health"})


def problems_of(
    path: str, method: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]
) -> dict[int, list[str]]:
    """Tell which codes an operation may answer with, by their statuses.

    Args:
        path: with its parameters' names.
        method: in small letters.
        operation: as OpenAPI has it.
        schemas: what its references point at.
    """
    name = operation["operationId"]
    codes = ["internal_error", *OWN.get(name, ())]
    if name not in _PLAIN:
        codes += _common(method, operation, schemas)
    if "{" in path:
        # a slash in a parameter, however it is encoded, makes it another path
        codes += ["route_not_found", "method_not_allowed"]
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys(codes):
        status = STATUSES.get(name, {}).get(code, CATALOGUE[code].status.value)
        by_status.setdefault(status, []).append(code)
    return dict(sorted(by_status.items()))


def _common(method: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> list[str]:
    """What follows from an operation's shape."""
    parameters = {parameter["name"].lower() for parameter in operation.get("parameters", ()) if "name" in parameter}
    types = operation.get("requestBody", {}).get("content", {})
    codes = ["rate_limited", "database_unavailable"]
    if operation.get("security"):
        codes += ["credential_missing", "credential_invalid", "scope_missing", "issuer_unavailable"]
    if parameters or types:
        codes.append("invalid_request")
    if types:
        codes += ["request_too_large", "unsupported_media_type"]
    if "application/json" in types:
        codes.append("malformed_json")
    if "multipart/form-data" in types:
        codes.append("malformed_form")
    if method not in _SAFE:
        codes += ["idempotency_key_malformed", "idempotency_key_reused", "request_in_flight"]
    if "cursor" in parameters:
        codes.append("invalid_cursor")
    if "if-match" in parameters:
        codes.append("etag_mismatch")
    fields = {field for body in types.values() for field in _fields(body.get("schema", {}), schemas)}
    if {"user_id", "userid"} & {name.lower() for name in parameters | fields}:
        codes += ["user_not_found"] if method not in _WRITING else ["user_not_found", "erasure_in_progress"]
    return codes


def _fields(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> set[str]:
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    return set(schema.get("properties", {}))
