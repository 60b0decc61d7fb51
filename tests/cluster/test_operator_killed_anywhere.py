"""The operator is killed at each call that leaves it, in whole lives of all its kinds: all ends as if it had lived."""

import json
import random
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from difflib import unified_diff

import httpx
import pytest
from pydantic import SecretStr

from mien_api import keys
from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.settings import PostgresSettings
from mien_local.cluster.control_plane import ControlPlane
from mien_operator.kinds import KINDS
from tests.conftest import database_copy
from tests.integration.test_operator_retention import serving
from tests.kills.door import Door, Step, trusted_by
from tests.kills.life import Life, Play, played
from tests.kills.operators import Operators
from tests.kills.plays import PLAYS
from tests.kills.world import Serving, World
from tests.operators import new_place

# There is a call for each of these at least, and `--long` tries all of them.
LEAST_POINTS = 200
SEED = 7


@pytest.fixture(scope="module")
async def world(
    control_plane: ControlPlane,
    cluster: httpx.Client,
    postgres_server: str,
    migrated_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[World]:
    """A namespace, an api on a database of its own, and serving."""
    folder, store = tmp_path_factory.mktemp("kills"), MemoryObjectStore()
    with (
        new_place(control_plane, cluster, folder, KINDS) as place,
        database_copy(postgres_server, migrated_template) as url,
    ):
        trusted = trusted_by(place.kubeconfig.read_text())
        async with (
            PostgresDatabase(PostgresSettings(url=SecretStr(url))) as database,
            serving(database, store) as api,
            Serving().open() as models,
            Door({"cluster": control_plane.url, "data": api, "serve": models.url}, trusted).open() as door,
            Operators(folder / "operators.log").open() as operators,
        ):
            _, secret = await keys.create(database, "platform", "operator", frozenset({"operator"}))
            text = place.kubeconfig.read_text()
            place.kubeconfig.write_text(text.replace(control_plane.url, door.address("cluster")))
            # nobody else begins while one lives
            election = {"duration": 7200, "deadline": 7000}
            settings = {
                "operator": {"namespace": place.namespace, "election": election},
                "internal_api": {"url": door.address("data"), "key": secret},
                "rollouts": {"serve_url": door.address("serve"), "router_url": door.address("serve")},
            }
            yield World(place, operators, door, url, database, store, models, settings)


@dataclass(frozen=True)
class Whole:
    """Lives without a kill, and the steps at which those of this run are killed."""

    lives: Mapping[str, Life]
    chosen: Mapping[str, list[int]]


@pytest.fixture(scope="module")
async def whole(world: World, request: pytest.FixtureRequest) -> Whole:
    """Each play once; with --long all of its steps, else each kind of step once, in whichever play."""
    asked = {item.callspec.params.get("play") for item in request.session.items if hasattr(item, "callspec")}
    plays = [play for play in PLAYS if play in asked] or PLAYS
    lives = {play.__name__: await played(world, play) for play in plays}
    places = [(name, number) for name, life in lives.items() for number in range(len(life.steps))]
    if not request.config.getoption("--long", default=False):
        by_kind: dict[Step, list[tuple[str, int]]] = {}
        for name, number in places:
            by_kind.setdefault(lives[name].steps[number], []).append((name, number))
        chance = random.Random(request.config.getoption("--seed", SEED))  # noqa: S311 - draws places, guards nothing
        places = [chance.choice(same) for same in by_kind.values()]
    return Whole(lives, {name: sorted(number for play, number in places if play == name) for name in lives})


def test_there_are_enough_steps(whole: Whole) -> None:
    """What is killed at is more than a handful."""
    if len(whole.lives) < len(PLAYS):
        pytest.skip("Only some of the plays are gone through.")
    assert sum(len(life.steps) for life in whole.lives.values()) >= LEAST_POINTS


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("play", PLAYS, ids=lambda play: play.__name__)
async def test_killed_at_any_call_it_ends_the_same(play: Play, whole: Whole, world: World) -> None:
    """Another operator goes on: what is seen of all things is the same at each stop, and nothing was done twice."""
    life = whole.lives[play.__name__]
    failures, began = [], time.monotonic()
    chosen = whole.chosen[play.__name__]
    for number in chosen:
        step = life.steps[number]
        killed = await played(world, play, number)
        assert killed.deaths == 1, step
        assert killed.steps[: number + 1] == life.steps[: number + 1]
        failures += [f"{step} ({number}), {when}:\n{different}" for when, different in differences(life, killed)]
    print(f"{play.__name__}: {len(chosen)} of {len(life.steps)} kills in {time.monotonic() - began:.0f} s")  # noqa: T201 - figures
    assert not failures, "\n".join(failures)


def differences(whole: Life, killed: Life) -> list[tuple[str, str]]:
    """Where two lives differ, and in what."""
    found = []
    for when, seen in whole.seen.items():
        one, other = (json.dumps(each, indent=1, sort_keys=True).splitlines() for each in (seen, killed.seen[when]))
        if one != other:
            found.append((when, "\n".join(unified_diff(one, other, "lived", "killed", n=2, lineterm=""))))
    return found
