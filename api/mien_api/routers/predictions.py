"""Glow Cycle: what the log of periods says of the days to come."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from mien_api.answers import private_json
from mien_api.days import Day
from mien_api.prediction_handlers import predict_cycle
from mien_api.prediction_schemas import PredictionBody, prediction_body
from mien_api.routers.dependencies import CycleCaller, UsesHandlers
from mien_api.schemas import UserId

router = APIRouter(tags=["Glow Cycle"])


@router.get("/period/predictions/{user_id}", response_model=PredictionBody)
async def predict(
    user_id: UserId,
    caller: CycleCaller,
    handlers: UsesHandlers,
    today: Annotated[Day | None, Query(description="the user's own day; UTC's if missing")] = None,
) -> Response:
    """Predict a user's next period, ovulation and fertile days: an estimate, with its uncertainty."""
    prediction = await predict_cycle(handlers.database, caller, user_id, today)
    return private_json(prediction_body(user_id, prediction))
