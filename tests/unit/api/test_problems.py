"""The catalogue of problems: it is complete, the page of the docs is it, and every problem points into it."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest

from mien_api.contract.catalogue import CATALOGUE, GROUPS, PATH
from mien_api.contract.pages import html, markdown

ROOT: Final = Path(__file__).parents[3]
# where codes are made, and which argument of each call is the code
SOURCES: Final = ("core/mien_core", "api/mien_api", "streams/mien_streams", "serving/mien_serving")
CALLS: Final = {"Rejected": 0, "Missing": 0, "Conflict": 0, "Unavailable": 0, "JobError": 0, "problem": 1}
# What only operators and other services of the platform meet: on command lines, in logs, in dead letters, between
# streams and serving. No client of the API does.
INSIDE: Final = frozenset(
    {
        "api_key_not_found",
        "artifact_cache_damaged",
        "artifact_digest_mismatch",
        "artifact_malformed",
        "artifact_not_found",
        "artifact_uri_unsupported",
        "audit_anchor_missing",
        "audit_chain_cut",
        "audit_row_changed",
        "audit_row_unchained",
        "broker_unavailable",
        "call_failed",
        "catalogue_ambiguous",
        "catalogue_malformed",
        "catalogue_unreadable",
        "certificate_chain_cut",
        "certificate_changed",
        "certificate_malformed",
        "certificate_of_other_key",
        "certificate_of_other_user",
        "dead_letter_not_found",
        "duplicate_revision",
        "empty_mask",
        "handler_unknown",
        "invalid_digest",
        "invalid_serve_options",
        "invalid_shadow",
        "invalid_weight",
        "job_erased",
        "leadership_lost",
        "level_out_of_range",
        "malformed_event",
        "malformed_key",
        "malformed_notification",
        "malformed_request",
        "mismatched_photo_key",
        "mismatched_poster_key",
        "model_file_corrupt",
        "model_file_missing",
        "no_revision",
        "no_revision_available",
        "operator_token_required",
        "path_not_found",
        "quotas_unavailable",
        "record_refused",
        "revision_name_mismatch",
        "revision_not_found",
        "revision_unavailable",
        "serving_full",
        "transaction_undone",
        "unknown_revision",
        "unknown_scope",
        "unsupported_operator",
        "upload_not_announced",
        "webhook_key_missing",
        "weights_do_not_sum_to_one",
    }
)


def codes_of(source: str) -> Iterator[str]:
    """The codes that a module's calls name; require_owned makes one of the thing's name."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        at, ending = (2, "_not_found") if name == "require_owned" else (CALLS.get(name), "")
        if at is not None and len(node.args) > at and isinstance(node.args[at], ast.Constant):
            yield f"{node.args[at].value}{ending}"  # type: ignore[attr-defined]  # the line above saw that it has one


def gates() -> frozenset[str]:
    """The quality gates' codes: a gate that a photo fails is the code of the refusal."""
    source = (ROOT / "serving/mien_serving/face/gates.py").read_text()
    tables = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.AnnAssign) and node.value]
    table = next(node.value for node in tables if ast.unparse(node.target) == "_THRESHOLDS")
    assert isinstance(table, ast.Dict)
    return frozenset(str(key.value) for key in table.keys if isinstance(key, ast.Constant))


@pytest.fixture(scope="module")
def raised() -> frozenset[str]:
    files = [path for folder in SOURCES for path in (ROOT / folder).rglob("*.py")]
    return frozenset(code for path in files for code in codes_of(path.read_text())) | gates()


def test_every_code_that_is_raised_is_explained(raised: frozenset[str]) -> None:
    """What a client may meet stands in the catalogue, all else in INSIDE."""
    unknown = sorted(raised - set(CATALOGUE) - INSIDE)
    assert unknown == [], (
        f"Nobody explains {unknown}. May a client of the API meet it, as a problem or as a job's error? Then add it to "
        "GROUPS in api/mien_api/contract/catalogue.py with its status, its meaning and what to do, and write the page "
        "anew: python -m mien_api problems > docs/problems.md. Else add it to INSIDE in this test."
    )


def test_nothing_is_explained_that_is_not_raised(raised: frozenset[str]) -> None:
    """What is gone from the code is gone from the catalogue, and each code is in one place."""
    framework = {"route_not_found", "method_not_allowed"}
    assert set(CATALOGUE) - raised - framework == set()
    assert INSIDE - raised == set()
    assert INSIDE & set(CATALOGUE) == set()
    assert sum(map(len, GROUPS.values())) == len(CATALOGUE)


def test_the_page_of_the_docs_is_the_catalogue() -> None:
    """docs/problems.md is what the command prints."""
    printed = subprocess.run(
        [sys.executable, "-m", "mien_api", "problems"], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    assert printed == markdown()
    assert (ROOT / "docs/problems.md").read_text() == printed, "Run: python -m mien_api problems > docs/problems.md"


def test_every_code_has_an_anchor_on_both_pages() -> None:
    """Each exactly once, so that a link leads to it."""
    assert re.findall(r'<a id="([a-z_]+)">', markdown()) == list(CATALOGUE)
    assert re.findall(r'<div id="([a-z_]+)">', html()) == list(CATALOGUE)


@pytest.mark.parametrize("code", CATALOGUE)
def test_each_entry_is_two_sentences(code: str) -> None:
    """A code in snake_case, an error's status, a meaning, and something to do."""
    entry = CATALOGUE[code]
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code)
    assert entry.status >= 400
    assert entry.meaning.endswith(".")
    assert entry.remedy.endswith(".")
    assert "|" not in entry.meaning + entry.remedy


async def test_a_problems_type_leads_to_its_explanation(client: httpx.AsyncClient) -> None:
    """Followed from the answer as a link, it shows a page that has the anchor; nobody needs a credential for it."""
    answer = await client.get("/look/6f9619ff-8b86-d011-b42d-00cf4fc964ff")
    link = answer.request.url.join(answer.json()["type"])
    page = await client.get(str(link), headers={"Authorization": ""})
    assert (link.path, link.fragment) == (PATH, "upload_not_found")
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assert f'id="{link.fragment}"' in page.text
