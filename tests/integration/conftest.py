"""An issuer whose tokens tests show, and the keys that sign them."""

from collections.abc import Iterator

import pytest

from mien_local.issuer.keys import SigningKey, new_key
from mien_local.issuer.server import IssuerServer


@pytest.fixture(scope="module")
def key() -> SigningKey:
    """The key that the issuer publishes."""
    return new_key()


@pytest.fixture(scope="module")
def other_key() -> SigningKey:
    """A key that nobody published yet."""
    return new_key()


@pytest.fixture(scope="module")
def issuer(key: SigningKey) -> Iterator[IssuerServer]:
    """The issuer, on a free port."""
    with IssuerServer([key]) as server:
        yield server
