"""Users of the platform, who have their photos analysed as long as somebody watches."""

import io
import itertools
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from PIL import Image, ImageEnhance, ImageOps

from mien_core.errors import MienError
from mien_local.client import Client
from mien_local.demo import astronaut
from mien_local.home import Home
from mien_local.parts.issuer import development_token

TENANT: Final = "salon"
NAMES: Final = ("anna", "ben", "clara", "dora", "emil", "frida")
_SECONDS_VALID: Final = 3600
_AT_ONCE: Final = 2
_REST_SECONDS: Final = 0.05
_SIZE: Final = (960, 540)
_SHIFTS: Final = 24


@dataclass
class Crowd:
    """What became of the photos so far."""

    analysed: int = 0
    failures: list[str] = field(default_factory=list)


class People:
    """The users of one platform.

    Args:
        home: the platform's, whose issuer signs their tokens.
        settings: the platform's.
    """

    def __init__(self, home: Home, settings: Mapping[str, str]) -> None:
        self._home = home
        self._settings = settings
        self._portrait = Image.open(io.BytesIO(astronaut())).resize(_SIZE, Image.Resampling.LANCZOS)
        self._numbers = itertools.count()

    def client(self, user: str) -> Client:
        """What a user's browser would call the API with."""
        token = development_token(self._home, self._settings, user, TENANT, _SECONDS_VALID)
        return Client(self._settings["MIEN_URL"], token)

    def analyse(self, user: str) -> Mapping[str, object]:
        """Have one photo of a user's analysed; the answer.

        Raises:
            MienError: of the platform.
        """
        with self.client(user) as client:
            return client.analyse(self._photo()).analysis

    @contextmanager
    def coming(self) -> Iterator[Crowd]:
        """Let photos come, one after another from several users at once, until the block ends."""
        crowd, over = Crowd(), threading.Event()
        names = itertools.cycle(NAMES)

        def come() -> None:
            while not over.is_set():
                try:
                    self.analyse(next(names))
                    crowd.analysed += 1
                except MienError as error:
                    crowd.failures.append(str(error))
                over.wait(_REST_SECONDS)

        threads = [threading.Thread(target=come) for _ in range(_AT_ONCE)]
        for thread in threads:
            thread.start()
        try:
            yield crowd
        finally:
            over.set()
            for thread in threads:
                thread.join()

    def _photo(self) -> bytes:
        """The portrait as nobody sent it yet: moved by some pixels, lighter or darker, and now and then mirrored."""
        number = next(self._numbers)
        left, top = number % _SHIFTS, number // _SHIFTS % _SHIFTS
        photo = self._portrait.crop((left, top, _SIZE[0] - _SHIFTS + left, _SIZE[1] - _SHIFTS + top))
        photo = ImageEnhance.Brightness(photo).enhance(1 + (number % 5 - 2) / 20)
        if number % 2:
            photo = ImageOps.mirror(photo)
        buffer = io.BytesIO()
        photo.save(buffer, "JPEG", quality=90)
        return buffer.getvalue()
