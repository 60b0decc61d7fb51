"""What was found on photos."""

from typing import Protocol

from mien_core.model.platform import Analysis, NewAnalysis, NewSkinAnalysis, SkinAnalysis


class Analyses(Protocol):
    """The analyses table: one row an upload."""

    async def save(self, analysis: NewAnalysis) -> Analysis:
        """Save; a second analysis of the same upload replaces the first."""

    async def get(self, upload_id: str) -> Analysis | None:
        """Read the analysis of an upload."""

    async def newest_of_pixels(self, tenant: str, pixel_digest: str, besides: str) -> Analysis | None:
        """Read the tenant's newest analysis of a photo with these pixels that says by its etag what made it.

        Args:
            tenant: the only one whose analyses are looked at.
            pixel_digest: as in PhotoFacts.
            besides: the upload that doesn't count.
        """


class SkinAnalyses(Protocol):
    """The skin_analyses table: what users were told, newest last."""

    async def save(self, analysis: NewSkinAnalysis) -> SkinAnalysis:
        """Save; a second one of the same id replaces the first. The user appears on first sight."""

    async def of_user(self, tenant: str, user_id: str) -> list[SkinAnalysis]:
        """A user's history, oldest first."""
