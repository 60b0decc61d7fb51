"""The files of a user's export: what each table holds, then the photos and pictures that still exist."""

from collections.abc import AsyncIterator
from typing import Final

from mien_api.zip_stream import Entry
from mien_core.errors import Missing
from mien_core.model.personal_data import PERSONAL_TABLES, PersonalTable
from mien_core.model.privacy import Person
from mien_core.ports.database import Database
from mien_core.ports.objects import ObjectStore

# An analysis is 50 kB of JSON, so this is about 1 MB.
ROWS: Final = 20
MEDIA: Final = 100

_README: Final = """\
All that is held about one user, as it was while this archive was written.

tables/ has a JSON array for each table, with a member for each row. Times are UTC where they say no offset.

{tables}

objects/ has the photos and pictures that still exist, under their keys in the object store:

  uploads/<upload id>/original       the photo as it was sent, until the clean one is made of it
  uploads/<upload id>/photo          the photo, upright and without metadata
  uploads/<upload id>/annotated.png  the photo with what was measured drawn onto it
  uploads/<upload id>/masks/         where each measure was taken
  tryons/<job id>, posters/<job id>  what was made of it

The column consent of uploads says whether you gave your consent with the photo (given), or whether the application
vouched that you had (attested). Withdrawing it is the erasure: DELETE /users/<your id>.
"""

# The first bytes of the pictures that there may be, and how their files are called.
_ENDINGS: Final = {b"\xff\xd8\xff": ".jpg", b"\x89PNG": ".png", b"RIFF": ".webp"}


async def entries(database: Database, object_store: ObjectStore, person: Person) -> AsyncIterator[Entry]:
    """The archive's files, each read when it is written. No connection is held while the client takes its time."""
    yield Entry("README.txt", _pieces(_readme().encode()))
    for table in PERSONAL_TABLES:
        yield Entry(f"tables/{table.name}.json", _rows(database, table, person))
    after = ""
    while True:
        async with database.reading() as reading:
            media = await reading.personal_data.media(person, after, MEDIA)
        for prefix in (prefix for one in media for prefix in one.prefixes):
            for key in await object_store.list(prefix):
                try:
                    data = await object_store.get(key)
                except Missing:
                    # gone since it was listed
                    continue
                yield Entry(f"objects/{key}{_ending(key, data)}", _pieces(data), compress=False)
        if len(media) < MEDIA:
            return
        after = media[-1].position


def _readme() -> str:
    width = max(len(table.name) for table in PERSONAL_TABLES)
    lines = (f"  {table.name:<{width}}  {table.about}" for table in PERSONAL_TABLES)
    return _README.format(tables="\n".join(lines))


async def _rows(database: Database, table: PersonalTable, person: Person) -> AsyncIterator[bytes]:
    after, opening = "", b"[\n"
    while True:
        async with database.reading() as reading:
            rows = await reading.personal_data.rows(table.name, person, after, ROWS)
        if rows:
            yield opening + b",\n".join(row.json.encode() for row in rows)
            after, opening = rows[-1].position, b",\n"
        if len(rows) < ROWS:
            break
    yield b"\n]\n" if after else b"[]\n"


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _ending(key: str, data: bytes) -> str:
    if "." in key.rpartition("/")[2]:
        return ""
    return next((ending for start, ending in _ENDINGS.items() if data.startswith(start)), "")
