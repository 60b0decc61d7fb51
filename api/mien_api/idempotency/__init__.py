"""Idempotency-Key (docs/decisions/0017): the same request under the same key is done once, and answered the same."""

from mien_api.idempotency.exchange import begun, install, needs_other_ids
from mien_api.idempotency.leases import Leases
from mien_api.idempotency.openapi import declare

__all__ = ["Leases", "begun", "declare", "install", "needs_other_ids"]
