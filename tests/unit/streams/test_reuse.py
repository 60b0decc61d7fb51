"""The same pixels twice: what was said once is said again, under the new upload, and nobody else hears it."""

from dataclasses import replace

import pytest

from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.errors import Rejected, Unavailable
from mien_core.model.keys import annotated_key, mask_key
from mien_core.model.platform import Analysis, Job, JobStatus
from mien_streams.delivery import Delivery
from mien_streams.edge import Edge
from mien_streams.handlers.analyse_face import Analysed, AnalyseFace
from mien_streams.job_handler import JobHandler
from mien_streams.looks import Ranker, Recommending
from tests.makers import new_analysis
from tests.unit.streams.stand_ins import ETAG, ScriptedServing, analysis, emitted, job, started

# what ScriptedServing says of every photo
DIGEST = "ab" * 32


class Platform:
    """What is shared by the photos that come one after the other."""

    def __init__(self) -> None:
        self.database = MemoryDatabase()
        self.store = MemoryObjectStore()
        self.serving = ScriptedServing()

    async def begun(self, **fields: object) -> tuple[Job, Delivery]:
        """A photo that came through the API's door."""
        return await started(self.database, **({"purpose": "skin", "pixel_digest": DIGEST} | fields))

    @property
    def handler(self) -> JobHandler[Analysed]:
        recommending = Recommending(self.database, Ranker())
        return JobHandler(self.database, AnalyseFace(self.database, self.serving, self.store, recommending))

    async def handle(self, delivery: Delivery) -> None:
        await Edge(self.database, self.handler).process(delivery)

    async def analysed(self, **fields: object) -> tuple[Job, Analysis]:
        """A photo and what came of it; serving's pictures are put where it would put them."""
        begun, delivery = await self.begun(**fields)
        asked = len(self.serving.requests)
        await self.handle(delivery)
        if len(self.serving.requests) > asked and not self.pictures(begun.photo_id):
            for key in (annotated_key(begun.photo_id), mask_key(begun.photo_id, "radiance")):
                await self.store.put(key, key.encode(), "image/png")
        saved = await analysis(self.database, begun.photo_id)
        assert saved is not None
        return await job(self.database, begun.id), saved

    def pictures(self, upload_id: str) -> set[str]:
        """The names of an upload's objects."""
        prefix = f"uploads/{upload_id}/"
        kept = self.store.keys()
        return {key.removeprefix(prefix) for key in kept if key.startswith(prefix)}


@pytest.fixture
def platform() -> Platform:
    return Platform()


async def test_the_second_time_is_an_analysis_of_its_own(platform: Platform) -> None:
    """Report, skin and revision are the first one's; job, event, history and pictures are the second's."""
    _, first = await platform.analysed(user_id="anna")
    ended, second = await platform.analysed(user_id="bea")
    assert platform.serving.etags == [ETAG]
    assert ended.status is JobStatus.COMPLETED
    assert (second.report, second.skin, second.photo) == (first.report, first.skin, first.photo)
    assert (second.model_revision, second.etag) == (first.model_revision, first.etag)
    assert (second.job_id, second.user_id) == (ended.id, "bea")
    assert second.annotated_key == annotated_key(second.upload_id)
    assert second.mask_keys == {"radiance": mask_key(second.upload_id, "radiance")}
    assert platform.pictures(second.upload_id) == {"annotated.png", "masks/radiance.png"}
    assert await platform.store.get(second.annotated_key) == first.annotated_key.encode()
    assert len(await emitted(platform.database)) == 2
    async with platform.database.reading() as reading:
        assert [line.id for line in await reading.skin_analyses.of_user("acme", "bea")] == [ended.id]
    assert "serving.copy" in ended.timings
    assert "serving.detect" not in ended.timings


async def test_erasing_the_first_leaves_the_second(platform: Platform) -> None:
    """And a third is made from the second."""
    _, first = await platform.analysed()
    _, second = await platform.analysed()
    for name in platform.pictures(first.upload_id):
        await platform.store.delete(f"uploads/{first.upload_id}/{name}")
    del platform.database.state.analyses[first.upload_id]
    assert platform.pictures(second.upload_id) == {"annotated.png", "masks/radiance.png"}
    _, third = await platform.analysed()
    assert platform.pictures(third.upload_id) == {"annotated.png", "masks/radiance.png"}


async def test_another_tenants_pixels_are_computed_anew(platform: Platform) -> None:
    """Nobody learns from an answer that somebody else has the same photo."""
    await platform.analysed(tenant="acme")
    await platform.analysed(tenant="other")
    assert len(platform.serving.requests) == 2
    assert platform.serving.etags == []


async def test_other_pixels_are_computed(platform: Platform) -> None:
    """Only the very same ones count."""
    await platform.analysed()
    await platform.analysed(pixel_digest="cd" * 32)
    assert platform.serving.etags == []


async def test_a_photo_that_only_serving_opens_is_computed(platform: Platform) -> None:
    """Its pixels aren't known before; but what comes of it serves those whose pixels are."""
    await platform.analysed(purpose="glam", pixel_digest=None)
    await platform.analysed(purpose="glam", pixel_digest=None)
    assert platform.serving.etags == []
    await platform.analysed()
    assert platform.serving.etags == [ETAG]


async def test_an_uploads_own_analysis_is_not_copied_onto_itself(platform: Platform) -> None:
    """Work that is done again for an upload that has its analysis is done, not taken from there."""
    begun, delivery = await platform.begun()
    async with platform.database.transaction() as transaction:
        upload = await transaction.uploads.get(begun.photo_id)
        assert upload is not None
        await transaction.analyses.save(new_analysis(upload, begun.id))
    await platform.handle(delivery)
    assert platform.serving.etags == []
    assert (await job(platform.database, begun.id)).status is JobStatus.COMPLETED


async def test_another_revisions_answer_is_not_reused(platform: Platform) -> None:
    """Serving decides: where this subject gets another revision, or measures have changed, it answers anew."""
    _, first = await platform.analysed()
    platform.database.state.analyses[first.upload_id] = replace(first, etag="face@sha256:fedcba987654/1")
    ended, second = await platform.analysed()
    assert platform.serving.etags == ["face@sha256:fedcba987654/1"]
    assert second.etag == ETAG
    assert "serving.detect" in ended.timings


async def test_pictures_that_are_gone_are_made_anew(platform: Platform) -> None:
    """Are the earlier pictures erased meanwhile, serving is asked without any condition."""
    _, first = await platform.analysed()
    await platform.store.delete(mask_key(first.upload_id, "radiance"))
    ended, _ = await platform.analysed()
    assert ended.status is JobStatus.COMPLETED
    assert len(platform.serving.requests) == 3
    assert "serving.detect" in ended.timings


async def test_a_store_that_is_away_is_waited_for(platform: Platform) -> None:
    """The same is tried again until the pictures could be copied."""

    class Flickering(MemoryObjectStore):
        failures = 2

        async def copy(self, source: str, target: str) -> None:
            if self.failures:
                self.failures -= 1
                raise Unavailable("object_store_unavailable", "It is away.", retry_after=0.0)
            await super().copy(source, target)

    platform.store = Flickering()
    await platform.analysed()
    ended, second = await platform.analysed()
    assert ended.status is JobStatus.COMPLETED
    assert platform.pictures(second.upload_id) == {"annotated.png", "masks/radiance.png"}


async def test_being_refused_the_second_time_is_a_verdict(platform: Platform) -> None:
    """A revision that says no to what another one took says so to the job."""
    _, first = await platform.analysed()
    platform.database.state.analyses[first.upload_id] = replace(first, etag="older")
    platform.serving.script = [Rejected("no_face", "There is no face.")]
    begun, delivery = await platform.begun()
    await platform.handle(delivery)
    ended = await job(platform.database, begun.id)
    assert ended.error is not None
    assert ended.error.code == "no_face"


class KilledError(Exception):
    """The process ends here."""


@pytest.mark.parametrize("moment", range(4))
async def test_being_killed_while_copying_is_harmless(platform: Platform, moment: int) -> None:
    """Killed before or after any copy, the next delivery ends as if nothing had been."""

    class Killing(MemoryObjectStore):
        until = moment
        armed = False

        def _moment(self) -> None:
            if self.armed and self.until == 0:
                self.armed = False
                raise KilledError
            self.until -= self.armed

        async def copy(self, source: str, target: str) -> None:
            self._moment()
            await super().copy(source, target)
            self._moment()

    platform.store = killing = Killing()
    await platform.analysed()
    begun, delivery = await platform.begun()
    killing.armed = True
    with pytest.raises(KilledError):
        await platform.handler.handle(delivery)
    assert (await job(platform.database, begun.id)).status is JobStatus.PROCESSING
    await platform.handle(delivery)
    assert (await job(platform.database, begun.id)).status is JobStatus.COMPLETED
    assert platform.pictures(begun.photo_id) == {"annotated.png", "masks/radiance.png"}
    assert len(await emitted(platform.database)) == 2
