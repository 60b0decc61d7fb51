"""What a platform keeps in its folder."""

import shlex
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien_core.errors import Unavailable
from mien_local import environment_file
from mien_local.cache import cache_folder, exclusively
from mien_local.home import Home
from mien_local.parts.part import Stage
from mien_local.ports import HOST, is_free, unused_port
from mien_local.state import PlatformState
from mien_local.wiring import plan


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


def test_the_folder_is_where_mien_home_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MIEN_HOME names it; without it, it is .mien in the working directory."""
    monkeypatch.chdir(tmp_path)
    assert Home.from_environment({"MIEN_HOME": "/elsewhere"}).root == Path("/elsewhere")
    assert Home.from_environment({}).root == tmp_path / ".mien"


def test_ports_stay_the_same_while_they_are_free(home: Home) -> None:
    """A bookmark of yesterday leads to today's platform; a port that somebody took is replaced."""
    port = home.port("api")
    assert Home(home.root).port("api") == port
    with socket.socket() as other:
        other.bind((HOST, port))
        other.listen()
        assert home.port("api") != port


def test_two_parts_never_get_one_port(home: Home) -> None:
    """Not even when neither of them listens yet."""
    preferred = unused_port()
    assert home.port("first", preferred) == preferred
    assert home.port("second", preferred) != preferred


def test_a_free_port_can_be_listened_on() -> None:
    """What unused_port gives is free, and is_free notices when it no longer is."""
    port = unused_port()
    assert is_free(port)
    with socket.socket() as server:
        server.bind((HOST, port))
        server.listen()
        assert not is_free(port)


def test_two_platforms_never_choose_one_port() -> None:
    """A port that another process has chosen is not free, even before its server listens."""
    code = "from mien_local.ports import unused_port; print(unused_port(), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        port = int(other.stdout.readline())
        assert is_free(port)
        assert unused_port([port]) != port
        other.communicate("\n")
    assert unused_port([port]) == port


def test_secrets_are_made_once_and_are_the_owner_s_alone(home: Home) -> None:
    """They stay from one platform to the next, differ, and no other user can read them."""
    secret = home.secret("s3")
    assert len(secret) >= 32
    assert Home(home.root).secret("s3") == secret
    assert home.secret("postgres") != secret
    assert stat.S_IMODE((home.data / "secrets" / "s3").stat().st_mode) == 0o600


def test_the_cache_follows_the_person_s_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """XDG_CACHE_HOME decides where downloads and built programs go."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "mien"
    assert cache_folder().is_dir()


@given(st.dictionaries(st.from_regex(r"[A-Z_]{1,20}", fullmatch=True), st.text("abc $'\"\\;&|é\t`=#", max_size=30)))
def test_settings_survive_being_written(tmp_path_factory: pytest.TempPathFactory, settings: dict[str, str]) -> None:
    """Whatever a value holds, it is read back as it was."""
    path = tmp_path_factory.mktemp("environment") / "dev.env"
    environment_file.write(path, settings)
    assert environment_file.read(path) == settings


def test_a_shell_reads_the_settings_as_they_are(tmp_path: Path) -> None:
    """Sourcing the file gives exactly the values, runs nothing in them, and the file is the owner's alone."""
    path = tmp_path / "dev.env"
    value = "postgresql://u:p'a\"ss$(touch oops)@h/db?x=1&y=2"
    environment_file.write(path, {"MIEN_POSTGRES__URL": value})
    script = f'. {shlex.quote(str(path))}; printf %s "$MIEN_POSTGRES__URL"'
    output = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    assert output == value
    assert not (tmp_path / "oops").exists()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_without_settings_everything_is_started_here(home: Home) -> None:
    """All parts are the platform's own, and each need is a part."""
    planned = plan(Stage(home), {})
    names = {member.part.name for member in planned.members}
    processes = {"postgres", "kafka", "s3", "ray", "serving", "api", "streams"}
    assert processes | {"migrate", "products", "assets", "key"} <= names
    assert not planned.external
    assert all(member.needs <= names for member in planned.members)


@pytest.mark.parametrize(
    ("setting", "value", "replaced"),
    [
        ("MIEN_POSTGRES__URL", "postgresql://elsewhere/mien", {"postgres"}),
        ("MIEN_KAFKA__BROKERS", "elsewhere:9092", {"kafka"}),
        ("MIEN_S3__ENDPOINT", "https://elsewhere", {"s3"}),
        ("MIEN_SERVING__URL", "http://elsewhere", {"serving", "ray", "artifact"}),
    ],
)
def test_a_setting_replaces_a_part(home: Home, setting: str, value: str, replaced: set[str]) -> None:
    """What runs elsewhere isn't started, nobody waits for it, and the others are told of it."""
    everything = {member.part.name for member in plan(Stage(home), {}).members}
    planned = plan(Stage(home), {setting: value})
    names = {member.part.name for member in planned.members}
    assert names == everything - replaced
    assert all(member.needs <= names for member in planned.members)
    assert planned.settings[setting] == value
    assert list(planned.external.values()) == [value]


def test_browsers_use_an_external_store_s_address_unless_told_otherwise(home: Home) -> None:
    """MIEN_S3__PUBLIC_ENDPOINT has its own value, or MIEN_S3__ENDPOINT's."""
    endpoint = {"MIEN_S3__ENDPOINT": "http://inside", "MIEN_S3__ACCESS_KEY_ID": "me"}
    settings = plan(Stage(home), endpoint).settings
    assert settings["MIEN_S3__PUBLIC_ENDPOINT"] == "http://inside"
    assert settings["MIEN_S3__ACCESS_KEY_ID"] == "me"
    public = {**endpoint, "MIEN_S3__PUBLIC_ENDPOINT": "https://outside"}
    assert plan(Stage(home), public).settings["MIEN_S3__PUBLIC_ENDPOINT"] == "https://outside"


def test_a_shell_that_sourced_dev_env_still_starts_everything(home: Home) -> None:
    """Settings that only repeat this platform's own addresses replace nothing."""
    own = dict(plan(Stage(home), {}).settings)
    assert not plan(Stage(home), own).external
    assert list(plan(Stage(home), own | {"MIEN_KAFKA__BROKERS": "elsewhere:9092"}).external) == ["kafka"]


def test_a_part_that_is_elsewhere_stays_elsewhere(home: Home) -> None:
    """The second start with the same settings replaces the same part as the first."""
    elsewhere = {"MIEN_POSTGRES__URL": "postgresql://elsewhere/mien"}
    for _ in range(2):
        planned = plan(Stage(home), elsewhere)
        assert list(planned.external) == ["postgres"]
        environment_file.write(home.environment_file, planned.settings)


def test_each_process_gets_only_the_secrets_that_it_needs(home: Home) -> None:
    """Serving sees no database, the API no broker."""
    members = {member.part.name: member.part for member in plan(Stage(home), {}).members}
    serving = vars(members["ray"])["_worker_environment"]
    api = vars(members["api"])["_settings"]
    assert {name.split("__")[0] for name in serving} == {"MIEN_S3"}
    assert {"MIEN_POSTGRES", "MIEN_S3"} <= {name.split("__")[0] for name in api}
    assert "MIEN_KAFKA__BROKERS" not in api


def test_half_a_state_is_no_state(home: Home) -> None:
    """What an interrupted write or another version left is read as nothing."""
    for content in ("", "{", "[]", '{"phase": "ready"}'):
        home.state_file.write_text(content)
        assert PlatformState.read(home) is None


def test_a_lock_is_given_up_when_nobody_waits_any_more(home: Home) -> None:
    """Two builders wait for each other, but not for ever."""
    stage = Stage(home)
    with exclusively(home.run / "some.lock"):
        stage.cancelled.set()
        with pytest.raises(Unavailable, match="cancelled"), exclusively(home.run / "some.lock", stage.cancelled):
            pytest.fail("two hold the lock")
