"""What the process is put together of."""

import pytest
from pydantic import ValidationError

from mien_core.settings import load
from mien_operator.cluster.lease import Timing
from mien_operator.kinds import KINDS
from mien_operator.wiring import CONTROLLERS, OperatorOptions, ProcessSettings


def test_every_controller_has_its_kind() -> None:
    """By the names that both have in YAML; no two kinds share a name that people type."""
    assert set(CONTROLLERS) <= {kind.kind for kind in KINDS}
    names = [name for kind in KINDS for name in (kind.plural, *kind.short_names)]
    assert len(names) == len(set(names))


def test_missing_settings_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who starts it without hears which variables to set."""
    monkeypatch.delenv("MIEN_OPERATOR__NAMESPACE", raising=False)
    with pytest.raises(SystemExit, match="MIEN_OPERATOR__NAMESPACE"):
        load(ProcessSettings)


def test_two_processes_are_never_the_same() -> None:
    """Not even two of one pod: who was killed and comes back doesn't hold the lease of the one before."""
    assert OperatorOptions(namespace="a").identity != OperatorOptions(namespace="a").identity


@pytest.mark.parametrize("times", [{"deadline": 12.0}, {"renewal": 9.0}, {"attempt": 4.0}])
def test_times_that_would_let_two_work_are_refused(times: dict[str, float]) -> None:
    """A holder stops before another may begin, whatever is set."""
    with pytest.raises(ValidationError, match="longer than the next"):
        Timing.model_validate(times)


def test_a_namespace_is_asked_for() -> None:
    """It never looks after all of them by omission."""
    with pytest.raises(ValidationError):
        OperatorOptions.model_validate({"namespace": ""})
