"""Analyses in memory."""

from dataclasses import asdict

from mien_core.adapters.memory.state import State, note_user, utc_now
from mien_core.model.platform import Analysis, NewAnalysis, NewSkinAnalysis, SkinAnalysis


class MemoryAnalyses:
    """Meets ports.analyses.Analyses."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def save(self, analysis: NewAnalysis) -> Analysis:
        """See ports.analyses.Analyses."""
        fields = {name: getattr(analysis, name) for name in NewAnalysis.__dataclass_fields__}
        saved = Analysis(**fields, created_at=utc_now())
        self._state.analyses[analysis.upload_id] = saved
        return saved

    async def get(self, upload_id: str) -> Analysis | None:
        """See ports.analyses.Analyses."""
        return self._state.analyses.get(upload_id)

    async def newest_of_pixels(self, tenant: str, pixel_digest: str, besides: str) -> Analysis | None:
        """See ports.analyses.Analyses."""
        found = [
            analysis
            for analysis in self._state.analyses.values()
            if (analysis.tenant, analysis.photo.pixel_digest) == (tenant, pixel_digest)
            and analysis.upload_id != besides
            and analysis.etag is not None
        ]
        return max(found, key=lambda analysis: analysis.created_at, default=None)


class MemorySkinAnalyses:
    """Meets ports.analyses.SkinAnalyses."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def save(self, analysis: NewSkinAnalysis) -> SkinAnalysis:
        """See ports.analyses.SkinAnalyses."""
        note_user(self._state, analysis.tenant, analysis.user_id)
        saved = SkinAnalysis(**asdict(analysis), created_at=utc_now())
        self._state.skin_analyses[analysis.id] = saved
        return saved

    async def of_user(self, tenant: str, user_id: str) -> list[SkinAnalysis]:
        """See ports.analyses.SkinAnalyses."""
        mine = [one for one in self._state.skin_analyses.values() if (one.tenant, one.user_id) == (tenant, user_id)]
        return sorted(mine, key=lambda one: one.created_at)
