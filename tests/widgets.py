"""A small kind of resource, for the tests of what all kinds share, and what it does to a world of its own."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from mien_core.errors import Rejected, Unavailable
from mien_operator.cel import CelRule
from mien_operator.controller import Resource
from mien_operator.crds.definition import Column, Kind
from mien_operator.plan import Condition, Note, NoteType, Plan, Truth


class Model(BaseModel):
    """As all kinds' models are."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class Colour(StrEnum):
    """What a widget may be painted."""

    RED = "Red"
    BLUE = "Blue"


class Part(Model):
    """A piece of a widget.

    Args:
        name: left out of what people read.
    """

    name: str = Field(min_length=1, max_length=63, description="What it is called.")
    weight: float = Field(default=1.0, gt=0, le=100, description="How heavy it is, in grams.")


class WidgetSpec(Model):
    """What a widget shall be."""

    size: int = Field(ge=1, le=10, description="How large it is.")
    colour: Colour = Field(default=Colour.RED, description="What it is painted.")
    note: str | None = Field(default=None, max_length=80, description="What people say of it.")
    parts: Annotated[list[Part], Field(max_length=4, description="Its pieces.")] = []
    labels: dict[str, str] = Field(default_factory=dict, max_length=8, description="Words on it.")
    paused: bool = Field(default=False, description="Whether the operator leaves it alone.")


class WidgetStatus(Model):
    """What a widget is."""

    phase: str = Field(default="Pending", description="Where its making stands.")
    made: int = Field(default=0, description="How large it has become.")


WIDGET: Final = Kind(
    kind="Widget",
    plural="widgets",
    short_names=("wdg",),
    description="A thing that tests make.",
    spec=WidgetSpec,
    status=WidgetStatus,
    columns=(Column("Phase", ".status.phase"), Column("Size", ".spec.size", "integer", priority=1)),
    rules=(
        CelRule("self.colour != 'Blue' || self.size >= 2", "A blue widget has at least size 2; make it larger."),
        CelRule("self.weight != 13.0", "No part weighs 13 grams; choose another weight.", "parts[]"),
    ),
)


@dataclass(frozen=True, slots=True)
class Piece:
    """Something to be done to a widget's piece."""

    number: int
    remove: bool = False


class World:
    """Where widgets are made: a folder, in which a piece is a file, and what was done twice is written down."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._twice = folder / "twice"
        self.away = folder / "away"
        (folder / "pieces").mkdir(parents=True, exist_ok=True)

    def pieces(self, widget: str) -> set[int]:
        return {int(path.name.rpartition(".")[2]) for path in (self._folder / "pieces").glob(f"{widget}.*")}

    def do(self, widget: str, piece: Piece) -> None:
        path = self._folder / "pieces" / f"{widget}.{piece.number}"
        if path.exists() is not piece.remove:
            with self._twice.open("a") as file:
                file.write(f"{path.name} {piece}\n")
        if piece.remove:
            path.unlink(missing_ok=True)
        else:
            path.touch()

    @property
    def done_twice(self) -> list[str]:
        return self._twice.read_text().splitlines() if self._twice.exists() else []


class WidgetController:
    """Makes as many pieces as the widget is large, and says so."""

    kind = WIDGET.kind

    def __init__(self, world: World) -> None:
        self._world = world

    async def observe(self, resource: Resource[WidgetSpec]) -> set[int]:
        if self._world.away.exists():
            raise Unavailable("world_unavailable", "The world is away; wait.")
        if resource.spec.note == "refuse":
            raise Rejected("widget_refused", "Write another note.")
        if resource.spec.note == "bug":
            raise RuntimeError("a bug")
        return self._world.pieces(resource.name)

    def reconcile(self, resource: Resource[WidgetSpec], observed: set[int], now: datetime) -> Plan[Piece]:
        del now
        wanted = set() if resource.deleting else set(range(resource.spec.size))
        missing = [Piece(number) for number in sorted(wanted - observed)]
        surplus = [Piece(number, remove=True) for number in sorted(observed - wanted)]
        told = Note(NoteType.NORMAL, "Made", f"The widget has {len(wanted)} pieces.")
        return Plan(
            status={"phase": "Made", "made": len(wanted)},
            conditions=(Condition("Ready", Truth.TRUE, "Made", "All pieces are there."),),
            actions=(*missing, *surplus),
            notes=(told,) if missing else (),
        )

    async def perform(self, resource: Resource[WidgetSpec], action: Piece) -> None:
        self._world.do(resource.name, action)
