"""The contract holds: whatever is sent, the API answers as its OpenAPI says, and does what is valid.

Requests are drawn by schemathesis from the document alone, valid ones and such that break it in one place; all of its
checks look at each answer. A server answers, on a real database and object store; a stand-in does the work.
`--long` draws 200 an operation.
"""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Final

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import unsupported_method

from mien_api import webhook_handlers
from mien_api.contract.openapi import operations_of
from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.adapters.memory.objects import MemoryObjectStore
from mien_core.model.platform import JobKind
from mien_core.settings import S3Settings
from mien_local.issuer.keys import SigningKey
from mien_local.issuer.server import IssuerServer
from tests.conftest import database_copy
from tests.fuzz.api import Api, running_api
from tests.fuzz.cases import NO_PHOTO, can_be_sent, is_a_form_as_rules_want_it, make_it_about, make_key_new
from tests.fuzz.workers import RESULTS
from tests.operations.skin import photo
from tests.operations.table import OPERATIONS
from tests.operations.world import make_app

pytestmark = pytest.mark.timeout(1800)

EXAMPLES: Final = 36
LONG_EXAMPLES: Final = 204
LEAST_SHARE: Final = 0.3
REQUEST_SECONDS: Final = 120
# It takes nothing that could be wrong.
UNBREAKABLE: Final = "GET /api/health"

# never connected: it is asked for its OpenAPI only
DOCUMENT = make_app(MemoryDatabase(), MemoryObjectStore(), "https://issuer.example").openapi()
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
# The document says what a field may be, and a rule may refuse it all the same: two days the wrong way round, say. Then
# it does so by a code of its own, see refused_by_a_rule.
SCHEMA.config.checks.positive_data_acceptance.expected_statuses += ["400", "410", "412", "413", "422"]
SCHEMA.config.checks.negative_data_rejection.expected_statuses += ["412", "413", "415"]
# Three of four files are photos.
schemathesis.openapi.format("binary", st.sampled_from([photo(), photo(), photo(), NO_PHOTO]))
LABELS = sorted(f"{method.upper()} {path}" for path, method, _ in operations_of(DOCUMENT))

# What is said of a request that the document doesn't allow.
_OF_THE_DOCUMENT: Final = frozenset(
    {"invalid_request", "malformed_json", "malformed_form", "unsupported_media_type", "request_too_large"}
)


def refused_by_a_rule(_ctx: Any, response: schemathesis.Response, case: schemathesis.Case[Any]) -> None:
    """What the document allows is refused by a rule, if it is refused, and never as something that it doesn't allow."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code not in range(400, 500):
        return
    code = response.json()["code"]
    assert code not in _OF_THE_DOCUMENT, f"The document allows this request, and it is answered {code}"


@pytest.fixture(scope="module")
def api(
    postgres_server: str, migrated_template: str, s3_server: S3Settings, issuer: IssuerServer, key: SigningKey
) -> Iterator[Api]:
    """The running API."""
    with (
        database_copy(postgres_server, migrated_template) as url,
        running_api(url, s3_server, issuer, key) as api,
        pytest.MonkeyPatch.context() as patch,
    ):
        # each request about a webhook is about one of its own
        patch.setattr(webhook_handlers, "MOST_WEBHOOKS", 100_000)
        yield api


def prepared_operation(label: str) -> Any:
    method, _, path = label.partition(" ")
    operation = OPERATIONS.get((method, path))
    if operation is None:
        pytest.fail(f"{label} stands in no table: see tests/integration/test_every_operation.py")
    return operation


def test_every_kind_of_job_has_an_end_here() -> None:
    """A kind that nobody ends would hold requests up until their wait is over."""
    assert set(RESULTS) == set(JobKind), "Add to RESULTS in tests/fuzz/workers.py what such a job results in."


@pytest.mark.parametrize("label", LABELS)
def test_whatever_is_sent_is_answered_as_documented(api: Api, label: str, pytestconfig: pytest.Config) -> None:
    """All checks of schemathesis find nothing, and at least 30 % of the requests are answered 2xx."""
    method, _, path = label.partition(" ")
    operation = SCHEMA[path][method]
    table = prepared_operation(label)
    valid, broken = (
        operation.as_strategy(generation_mode=mode).filter(can_be_sent)
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    )
    headers = {"Authorization": f"Bearer {api.secret}"}
    answered: Counter[int] = Counter()
    with api.nobody_works():
        known = api.prepared(table)
    long = pytestconfig.getoption("--long")

    def send(case: schemathesis.Case[Any], exists: bool) -> None:  # noqa: FBT001 - drawn by name
        with ExitStack() as pause:
            if exists or method == "DELETE":
                pause.enter_context(api.nobody_works())
            if exists:
                # what is read stays as it is; what is done to a thing may be done once
                make_it_about(case, known if method == "GET" else api.prepared(table))
            if method != "DELETE":
                pause.close()
            response = case.call_and_validate(
                base_url=api.url,
                session=session,
                headers=headers,
                timeout=REQUEST_SECONDS,
                additional_checks=[refused_by_a_rule],
            )
        answered[response.status_code // 100] += 1

    with requests.Session() as session:
        session.trust_env = False
        # counted and not drawn: two of three are valid, and three of four about something that exists
        allowed = valid.filter(is_a_form_as_rules_want_it)
        for strategy, exists, parts in ((allowed, True, 6), (valid, False, 2), (broken, True, 3), (broken, False, 1)):
            if strategy is broken and label == UNBREAKABLE:
                continue
            rules = settings(
                max_examples=(LONG_EXAMPLES if long else EXAMPLES) * parts // 12,
                deadline=None,
                database=None,
                derandomize=not long,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            rules(given(case=strategy, exists=st.just(exists))(send))()
    share = answered[2] / answered.total()
    assert share >= LEAST_SHARE, f"{share:.0%} of {answered.total()} requests were answered 2xx: {dict(answered)}"


@SCHEMA.parametrize()
def test_every_boundary_is_where_the_document_has_it(case: schemathesis.Case[Any], api: Api) -> None:
    """The examples, each field at, below and above its limits, what is left out, other methods: all checks again."""
    others = [] if not _is_of_another_operation(case) else [unsupported_method]
    if others:
        # it would find the documented key in use
        make_key_new(case)
    case.call_and_validate(
        base_url=api.url,
        headers={"Authorization": f"Bearer {api.secret}"},
        timeout=REQUEST_SECONDS,
        additional_checks=[refused_by_a_rule],
        excluded_checks=others,
    )


def _is_of_another_operation(case: schemathesis.Case[Any]) -> bool:
    """Whether a method that the case's path hasn't is one of a path that it fits, too: of /skin/{scan_id}, say."""
    paths, method = SCHEMA.raw_schema["paths"], case.method.lower()
    patterns = [re.sub(r"\\{[^/]*\\}", "[^/]+", re.escape(path)) for path in paths if method in paths[path]]
    return method not in paths[case.path] and any(re.fullmatch(pattern, case.path) for pattern in patterns)


SCHEMA.config.phases.fuzzing.enabled = False
