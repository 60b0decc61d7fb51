"""What a platform consists of."""

from collections.abc import Mapping
from dataclasses import dataclass

from mien_local.parts.part import Part


@dataclass(frozen=True)
class Member:
    """A part, and the names of the parts that must be ready before it starts; without an essential one, all stops."""

    part: Part
    needs: frozenset[str] = frozenset()
    essential: bool = False


@dataclass(frozen=True)
class Plan:
    """What to start, what others provide (name to address), and the settings that hold from the beginning."""

    members: tuple[Member, ...]
    external: Mapping[str, str]
    settings: Mapping[str, str]
