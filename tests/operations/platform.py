"""What all applications share: jobs, health."""

from tests.operations.world import Call, Operation, World


async def _job(world: World) -> Call:
    upload_id, job_id = await world.analysed_upload()
    return Call(f"/jobs/{job_id}", marks=(upload_id, job_id))


async def _health(world: World) -> Call:
    await world.publish_all()
    return Call("/api/health")


OPERATIONS = {
    ("GET", "/jobs/{job_id}"): Operation(_job, "thing"),
    ("GET", "/api/health"): Operation(_health, "nothing", open_to="everybody"),
}
