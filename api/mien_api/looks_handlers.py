"""What saved looks do: load, decide, save. No HTTP in here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mien_api.cursors import Cursors, Page
from mien_api.ids import new_id
from mien_core.model.looks import Look, LookPosition, NewLook, Preset, Product, position_of
from mien_core.model.platform import Caller, require_owned, require_user
from mien_core.ports.database import Database

_LOOKS: Final = Cursors("looks", LookPosition)


@dataclass(frozen=True)
class LookHandlers:
    """The endpoints' handlers; Missing (user_not_found) where the caller may not act for the user."""

    database: Database

    async def save(
        self,
        caller: Caller,
        user_id: str,
        *,
        upload_id: str | None,
        name: str,
        presets: Sequence[Preset],
        products: Sequence[Product],
    ) -> Look:
        """Save a look.

        Raises:
            Missing: upload_not_found, also where the photo is another user's.
        """
        owner = Caller(caller.tenant, require_user(caller, user_id))
        look = NewLook(new_id(), owner.tenant, user_id, upload_id, name, tuple(presets), tuple(products))
        async with self.database.writing() as transaction:
            if upload_id is not None:
                upload = require_owned(await transaction.uploads.get(upload_id), caller, "upload")
                # what an API key announced without a user is everybody's in its tenant
                require_owned(upload, owner if upload.user_id is not None else caller, "upload")
            return await transaction.looks.add(look)

    async def looks(self, caller: Caller, user_id: str, *, cursor: str | None, limit: int) -> Page[Look]:
        """A page of a user's looks, newest first.

        Raises:
            Rejected: invalid_cursor.
        """
        binding = (caller.tenant, require_user(caller, user_id))
        after = _LOOKS.read(cursor, *binding)
        async with self.database.reading() as reading:
            found = await reading.looks.of_user(*binding, after=after, limit=limit + 1)
        return _LOOKS.page(found, limit, position_of, *binding)
