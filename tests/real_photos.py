"""Real people's photos, which lie beside a checkout and never in it."""

import os

import pytest

from tests.faces import Picture, real_photo


def real_photo_or_skip(name: str) -> Picture:
    """A photo of the folder shared/faces; a laptop that hasn't got it skips the test, CI fails."""
    photo = real_photo(name)
    if photo is None:
        reason = f"the folder shared/faces beside the repository has no {name}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return photo
