"""What legal holds need of the database; a Transaction has it. docs/legal-holds.md tells how deleting code asks."""

from typing import Protocol

from mien_core.model.data_classes import DataClass
from mien_core.model.holds import LegalHold, NewLegalHold
from mien_core.model.privacy import Person


class LegalHolds(Protocol):
    """The legal_holds table, and the one way to ask before something is deleted.

    The database itself refuses to delete a row that a hold covers, whoever asks and by whatever statement: Conflict
    (legal_hold), and the transaction is of no use any more. So single deletions need to ask nothing. Two kinds do:

    - whoever deletes many rows at once, and would rather pass by those that are held: begin the transaction with
      guard(), and have the statement say `AND NOT is_held(tenant, user_id, 'photos')`, or are_held for several classes;
    - whoever deletes objects, which no statement refuses: begin with guard(), ask held(), delete the objects while the
      transaction is open, call confirm() before each batch of them, and then delete the rows and commit.
    """

    async def guard(self) -> None:
        """Have no hold be written until this transaction ends; first of all, before it locks any row.

        A hold that is being written meanwhile waits for this transaction's end, so keep it short: one batch. Any
        number of transactions have the guard at the same time. It travels with the next statement, which then sees
        all holds that were written before.
        """

    async def confirm(self) -> None:
        """Prove that the guard still holds. It is lost with its connection, or after ten seconds without a word.

        Raises:
            Unavailable: database_unavailable; delete nothing more.
        """

    async def held(self, person: Person, *classes: DataClass) -> bool:
        """Tell whether a hold covers something of these classes of a user's; without any, anything at all."""

    async def place(self, hold: NewLegalHold) -> LegalHold:
        """Write a hold, once no deletion is under way; the first thing in its transaction. Again, it changes nothing.

        From its commit on nothing that it covers goes. Reason, name and case are those that were said last.

        Raises:
            Conflict: hold_differs, if the id is that of one that covers something else; hold_released.
            Unavailable: database_unavailable, if a deletion takes longer than some seconds; ask again.
        """

    async def get(self, hold_id: str) -> LegalHold | None:
        """Read one, standing or released."""

    async def standing(self, after: str, limit: int) -> list[LegalHold]:
        """Those that keep something, by id, beginning after an id, which is "" for the first."""

    async def release(self, hold_id: str) -> LegalHold | None:
        """Have a hold keep nothing any more, and name nobody; a second time changes nothing. None if there is none."""
