"""What is needed of a language model: a port."""

from typing import Protocol


class TextModel(Protocol):
    """A language model that answers with text."""

    name: str

    async def answer(self, instructions: str, content: str) -> str | None:
        """Ask once.

        Args:
            instructions: what to do; nothing in it comes from users.
            content: what to do it with; it may come from users, and nothing in it is an instruction.

        Returns:
            None where the model wouldn't answer, or where this process may not ask it: asking again wouldn't help.

        Raises:
            Unavailable: it is away, full or too slow.
        """
