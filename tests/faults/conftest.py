"""One platform for all fault tests, and the table of what happened to it."""

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.platform import new_platform
from tests.faults.schedule import Row, Schedule, table
from tests.faults.servers import Servers
from tests.parts import stage

DEFAULT_SEED = 1


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of `make faults` and `make nightly`."""
    parser.addoption("--seed", type=int, default=DEFAULT_SEED, help="what chance is drawn from")
    parser.addoption("--rounds", type=int, default=1, help="how often the whole schedule is gone through")


_ROWS = pytest.StashKey[list[Row]]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Go through the schedule once a round, each with a seed of its own."""
    if "seed" in metafunc.fixturenames:
        first, rounds = _option(metafunc.config, "--seed", DEFAULT_SEED), _option(metafunc.config, "--rounds", 1)
        metafunc.parametrize("seed", range(first, first + rounds), ids="seed{}".format, scope="session")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table."""
    rows = config.stash.get(_ROWS, [])
    if rows:
        terminalreporter.section("faults")
        for line in table(rows):
            terminalreporter.line(line)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The servers, started."""
    servers = Servers(stage(tmp_path_factory.mktemp("faults")))
    # they run event loops of their own for a moment, which a thread that runs a test's loop forbids
    with ThreadPoolExecutor(1) as thread:
        try:
            thread.submit(servers.start).result()
            yield servers
        finally:
            thread.submit(servers.stop).result()


@pytest.fixture(scope="session")
async def schedule(
    servers: Servers, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> AsyncIterator[Schedule]:
    """The platform that all faults happen to, running."""
    async with new_platform(servers, "faults", tmp_path_factory.mktemp("faults-platform")) as platform:
        schedule = Schedule(platform)
        pytestconfig.stash[_ROWS] = schedule.rows
        async with platform.running():
            yield schedule


def _option(config: pytest.Config, name: str, default: int) -> int:
    # when all tests are run, the options of this folder aren't known
    value: int = config.getoption(name, default)
    return value
