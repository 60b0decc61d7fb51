"""Which revision answers a request, sticky by subject, in the proportion of the weights; and which are mirrored."""

import hashlib
from collections.abc import Mapping

from mien_core.errors import Unavailable


def choose_revision(subject: str, weights: Mapping[str, float]) -> str:
    """The revision that this subject gets, always the same one for the same weights.

    The subject is hashed to a point between 0 and 1, and the revisions lie there side by side, in the order of their
    names, each as wide as its weight. Moving weight between two revisions therefore moves subjects from the one to
    the other and never back. With only two that carry weight, as in every rollout, nobody else moves; with more, only
    subjects of revisions that lie between the two may (no rule that remembers nothing can avoid that for every pair).

    Args:
        subject: the sticky key: tenant and user, or the upload.
        weights: revision name to its share, at least 0; they need not sum to 1, a revision of weight 0 is never chosen.

    Raises:
        Unavailable: no_revision_available, when no revision has weight.
    """
    shares = sorted((name, weight) for name, weight in weights.items() if weight > 0)
    if not shares:
        raise Unavailable("no_revision_available", "No model revision takes requests at the moment; try again later.")
    point = _point(subject) * sum(weight for _, weight in shares)
    for name, weight in shares:
        if point < weight:
            return name
        point -= weight
    return shares[-1][0]  # rounding may leave a point just past the last boundary


def is_mirrored(upload_id: str, percent: float) -> bool:
    """Tell whether this upload's requests are among the percent that a second revision is asked, too.

    Whoever asks again for the same upload gets the same answer, and raising percent adds uploads and drops none. It
    has nothing to do with the revision that the subject gets.
    """
    return _point(f"mirrored {upload_id}") * 100 < percent


def _point(subject: str) -> float:
    """A number in [0, 1) that depends on the subject alone, equally distributed."""
    digest = hashlib.sha256(subject.encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
