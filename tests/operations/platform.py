"""What all applications share: jobs, usage, health."""

from tests.operations.world import Call, Operation, World


async def _job(world: World) -> Call:
    upload_id, job_id = await world.analysed_upload()
    return Call(f"/jobs/{job_id}", marks=(upload_id, job_id))


async def _events(world: World) -> Call:
    job = await _job(world)
    # a stream ends with its job
    await world.make(job, "DELETE")
    return Call(f"{job.path}/events", marks=job.marks)


async def _usage(_world: World) -> Call:
    return Call("/usage")


async def _health(world: World) -> Call:
    await world.publish_all()
    return Call("/api/health")


OPERATIONS = {
    ("GET", "/jobs/{job_id}"): Operation(_job, "thing"),
    ("DELETE", "/jobs/{job_id}"): Operation(_job, "thing"),
    ("GET", "/jobs/{job_id}/events"): Operation(_events, "thing"),
    ("GET", "/usage"): Operation(_usage, "nothing", open_to="tenants"),
    ("GET", "/api/health"): Operation(_health, "nothing", open_to="everybody"),
}
