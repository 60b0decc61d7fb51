"""The second act: what is old is proposed, approved and deleted, but for what a legal hold keeps."""

import asyncio
from collections.abc import Mapping

import psycopg

from mien_core.adapters.s3 import S3ObjectStore
from mien_core.model.keys import photo_key
from mien_core.settings import S3Settings
from mien_local.operator_demo.people import TENANT
from mien_local.operator_demo.shell import Shell, expect
from mien_local.wiring import groups

_SECONDS = 300.0
_HELD, _OTHERS = "anna", ("ben", "clara")
_AGE = """
    UPDATE uploads SET created_at = created_at - interval '45 days'
    WHERE id IN (
        SELECT DISTINCT ON (user_id) id FROM uploads
        WHERE tenant = %s AND user_id = ANY(%s) AND state = 'received' ORDER BY user_id, created_at
    )
    RETURNING user_id, id::text
"""
_WATCH = "kubectl get retentionpolicy photos --watch"
_PROPOSAL = (
    "kubectl get retentionpolicy photos --output jsonpath='{range .status.proposal.counts[*]}"
    """{.dataClass} in {.store}: {.listed} of {.total}{"\\n"}{end}'"""
)
_RUN_ID = "kubectl get retentionpolicy photos --output jsonpath='{.status.proposal.runId}'"
_COUNTS = (
    "kubectl get retentionpolicy photos --output jsonpath='"
    "{.status.lastRun.state}: {.status.lastRun.listed} listed, {.status.lastRun.deleted} deleted, "
    "{.status.lastRun.held} held, {.status.lastRun.skipped} skipped'"
)


def play(shell: Shell, settings: Mapping[str, str]) -> None:
    """Show it.

    Args:
        shell: where it is shown.
        settings: the platform's, for what no command shows: its database and its bucket.

    Raises:
        Unavailable: act_failed, when something else comes of it; cancelled.
    """
    shell.title("Old photos are proposed, approved and deleted; a legal hold keeps one")
    old = _made_old(settings)
    expect(set(old) == {_HELD, *_OTHERS}, f"These users have photos: {', '.join(old)}.")
    shell.tell(f"A photo of each of {', '.join(sorted(old))} is 45 days old now, by a change in the database.")
    shell.run("cat infra/samples/legal-hold.yaml")
    shell.run("kubectl apply --filename infra/samples/legal-hold.yaml")
    shell.run("kubectl wait legalhold/case-7 --for condition=Ready --timeout 60s")
    shell.run("kubectl get legalholds --output wide")
    shell.run("kubectl apply --filename infra/samples/retention-photos.yaml")
    shell.tell("Nobody waits until three at night: the next full minute will do.")
    shell.run("""kubectl patch retentionpolicy photos --type merge --patch '{"spec": {"schedule": "* * * * *"}}'""")
    shell.watch(_WATCH, lambda words: "Proposed" in words, _SECONDS)
    # one run is enough; this stops none
    shell.run("""kubectl patch retentionpolicy photos --type merge --patch '{"spec": {"schedule": "0 3 * * *"}}'""")
    proposal = shell.run(_PROPOSAL)
    expect(f"photos in s3: {len(old)} of" in proposal, f"Something else was proposed: {proposal}")
    shell.run(f"kubectl annotate retentionpolicy photos mien.dev/approve=$({_RUN_ID})")
    shell.watch(_WATCH, lambda words: "done" in words, _SECONDS)
    counts = shell.run(_COUNTS)
    expect(
        counts == f"done: {len(old)} listed, {len(_OTHERS)} deleted, 1 held, 0 skipped", f"The run came to: {counts}"
    )
    shell.run("kubectl events --for retentionpolicy/photos")
    kept = _still_there(settings, old)
    expect(kept == {_HELD}, f"These users' old photos are still in the bucket: {', '.join(sorted(kept)) or 'none'}.")
    shell.tell(f"In the bucket: {_HELD}'s old photo is there, those of {' and '.join(_OTHERS)} are gone.")


def _made_old(settings: Mapping[str, str]) -> dict[str, str]:
    """Users to the upload of theirs that is old now."""
    with psycopg.connect(settings["MIEN_POSTGRES__URL"]) as connection:
        return dict(connection.execute(_AGE, (TENANT, [_HELD, *_OTHERS])).fetchall())


def _still_there(settings: Mapping[str, str], uploads: Mapping[str, str]) -> set[str]:
    """Those users whose upload's photo is in the bucket."""
    bucket = {name.removeprefix("MIEN_S3__").lower(): value for name, value in groups(settings, "S3").items()}

    async def look() -> set[str]:
        store = S3ObjectStore(S3Settings.model_validate(bucket))
        try:
            return {user for user, upload in uploads.items() if await store.head(photo_key(upload)) is not None}
        finally:
            await store.close()

    return asyncio.run(look())
