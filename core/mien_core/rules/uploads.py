"""Which photos may be announced."""

from mien_core.errors import Rejected
from mien_core.model.platform import Consent

# The contract's limit for every application; the store holds the client to what it announced.
MAX_BYTES = 10 * 1024 * 1024

CONTENT_TYPES = ("image/jpeg", "image/png", "image/webp")


def check_announcement(content_type: str, content_length: int) -> None:
    """Refuse what the photo door would refuse anyway, before a byte is sent.

    Raises:
        Rejected: unsupported_content_type or photo_too_large.
    """
    if content_type not in CONTENT_TYPES:
        accepted = ", ".join(CONTENT_TYPES)
        raise Rejected("unsupported_content_type", f"A photo is sent as one of {accepted}; convert this one.")
    if content_length > MAX_BYTES:
        raise Rejected(
            "photo_too_large",
            f"The photo has {content_length:,} bytes; at most {MAX_BYTES:,} are accepted. Send a smaller one.",
        )


def consent_of(*, given: bool | None, required: bool) -> Consent:
    """What is recorded of the consent to a photo's analysis; an explicit no always counts.

    Args:
        given: what came with the photo; None where nothing was said.
        required: whether it must be said with each photo, or whether the frontend has asked its users.

    Raises:
        Rejected: consent_required.
    """
    if given:
        return "given"
    if required or given is False:
        detail = "A face is analysed only with the person's consent. Ask for it; send consent true or Consent: given."
        raise Rejected("consent_required", detail)
    return "attested"
