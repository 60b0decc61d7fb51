"""One platform for all fault tests, and the table of what happened to it."""

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.platform import new_platform
from tests.faults.schedule import Row, Schedule, table
from tests.faults.servers import Servers
from tests.parts import stage

DEFAULT_SEED = 1
# with what one round has, more than 20,000 jobs
LONG_ROUNDS = 7


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of `make faults`."""
    parser.addoption("--seed", type=int, default=DEFAULT_SEED, help="what chance is drawn from")


_ROWS = pytest.StashKey[list[Row]]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Go through the schedule once a round, each with a seed of its own."""
    if "seed" in metafunc.fixturenames:
        # when all tests are run, the options of this folder aren't known
        first: int = metafunc.config.getoption("--seed", DEFAULT_SEED)
        rounds = LONG_ROUNDS if metafunc.config.getoption("--long", default=False) else 1
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
    servers: Servers, seed: int, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> AsyncIterator[Schedule]:
    """The platform that all faults of a round happen to, running."""
    name = f"faults_{seed}"
    async with new_platform(servers, name, tmp_path_factory.mktemp(name)) as platform, platform.running():
        yield Schedule(platform, pytestconfig.stash.setdefault(_ROWS, []))
