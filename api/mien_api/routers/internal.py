"""What all endpoints of the operator have in common: where they are, their tag, and who may call them."""

from typing import Final

from fastapi import APIRouter

from mien_api.limits import OPERATOR_TAG

PREFIX: Final = "/internal/v1"


def operators_router() -> APIRouter:
    """A router for operations of the operator; each of them asks for an OperatorCaller."""
    return APIRouter(prefix=PREFIX, tags=[OPERATOR_TAG])
