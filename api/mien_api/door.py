"""The door for pixels (mien_core.photo), beside the event loop and a few photos at a time."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Self

from mien_core.photo import Photo, open_photo

# A photo of the largest size takes a core for seconds and hundreds of megabytes: more at once would help nobody.
AT_ONCE: Final = 2


class PhotoDoor:
    """Opens photos in threads of its own; who comes while all are busy waits. A context manager."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="door")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def open(self, image: bytes) -> Photo:
        """Open what a client sent.

        Raises:
            Rejected: as mien_core.photo.open_photo.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, open_photo, image)
