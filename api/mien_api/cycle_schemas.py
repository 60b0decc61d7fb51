"""What Glow Cycle's frontend sends and gets, in its camelCase; the field names are the contract's."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from mien_api.cursors import Page
from mien_api.cycle_handlers import Shown
from mien_api.days import Day
from mien_api.etags import etag_of
from mien_api.schemas import WHOLE, RequestSchema, Schema, UserId
from mien_core.model.cycle import DiaryMetrics, Flow, JournalContent, JournalEntry, Period, SkinScan
from mien_core.model.face import NOTICE
from mien_core.model.texts import Label, Prose

# Numbers are numbers: "50" is a text, and a frontend that sends one has a bug that is better seen.
Percent = Annotated[float, Field(strict=True, ge=0, le=100, allow_inf_nan=False)]
CycleDay = Annotated[int, Field(strict=True, ge=1, le=366), WHOLE]
# each once, in the order in which they came
Labels = Annotated[list[Label], Field(max_length=50), AfterValidator(lambda labels: list(dict.fromkeys(labels)))]


class JournalFields(RequestSchema):
    """What can be said of a day. Without cycleDay it is told by the log of periods, each time the entry is read."""

    date: Day
    mood: Label | None = Field(default=None, examples=["calm"])
    energy: Percent | None = Field(default=None, examples=[70])
    text: Prose | None = Field(default=None, examples=["Slept well."])
    tags: Labels = Field(default=[], examples=[["sleep"]])
    cycle_day: CycleDay | None = None

    @property
    def content(self) -> JournalContent:
        """As the platform has it."""
        return JournalContent(
            date=self.date,
            mood=self.mood,
            energy=self.energy,
            text=self.text or "",
            tags=tuple(self.tags),
            cycle_day=self.cycle_day,
        )


class NewJournalEntryBody(JournalFields):
    """An entry to be written."""

    user_id: UserId


class JournalEntryBody(Schema):
    """An entry; etag is what If-Match takes."""

    entry_id: str
    user_id: str
    date: Day
    mood: str | None
    energy: float | None
    text: str
    tags: list[str]
    cycle_day: int | None
    etag: str
    created_at: datetime
    updated_at: datetime


class JournalPage(Schema):
    """A part of a journal, newest first; nextCursor is null at its end."""

    entries: list[JournalEntryBody]
    next_cursor: str | None


class NewPeriodBody(RequestSchema):
    """A day of bleeding. The first after a pause of a week begins a period; a day that is logged again is replaced."""

    user_id: UserId
    date: Day
    cycle_length: CycleDay | None = Field(
        default=None, description="days, as the user knows their cycle", examples=[28]
    )
    flow: Flow | None = None
    symptoms: Labels = Field(default=[], examples=[["cramps"]])


class PeriodBody(Schema):
    """A logged day of bleeding."""

    period_id: str
    user_id: str
    date: Day
    cycle_length: int | None
    flow: Flow | None
    symptoms: list[str]
    created_at: datetime


class PeriodPage(Schema):
    """A part of a log of periods, newest first; nextCursor is null at its end."""

    periods: list[PeriodBody]
    next_cursor: str | None


class DiaryMetricsBody(RequestSchema):
    """0-100, more is better; null where nothing is known."""

    radiance: Percent | None = Field(default=None, examples=[62.5])
    moisture: Percent | None = None
    texture: Percent | None = None
    pores: Percent | None = None
    dark_circles: Percent | None = None


class NewScanBody(RequestSchema):
    """A line of the skin diary. Without cycleDay it is told by the log of periods, each time the line is read."""

    user_id: UserId
    date: Day
    metrics: DiaryMetricsBody
    cycle_day: CycleDay | None = None


class ScanBody(Schema):
    """A line of the skin diary."""

    scan_id: str
    user_id: str
    date: Day
    metrics: DiaryMetricsBody
    cycle_day: int | None
    created_at: datetime
    notice: str = NOTICE


class ScanPage(Schema):
    """A part of a skin diary, newest first; nextCursor is null at its end."""

    scans: list[ScanBody]
    next_cursor: str | None


def diary_metrics(body: DiaryMetricsBody) -> DiaryMetrics:
    """Metrics as the platform has them."""
    return DiaryMetrics(
        radiance=body.radiance,
        moisture=body.moisture,
        texture=body.texture,
        pores=body.pores,
        dark_circles=body.dark_circles,
    )


def entry_etag(shown: Shown[JournalEntry]) -> str:
    """The ETag of an entry as it is shown."""
    return etag_of(shown.thing.version, shown.cycle_day)


def entry_body(shown: Shown[JournalEntry]) -> dict[str, Any]:
    """Show an entry: a JournalEntryBody, as it is written.

    Lists show fifty, and what comes out of the database was checked when it went in: a model would check it again.
    """
    entry, content = shown.thing, shown.thing.content
    return {
        "entryId": entry.id,
        "userId": entry.user_id,
        "date": content.date,
        "mood": content.mood,
        "energy": content.energy,
        "text": content.text,
        "tags": content.tags,
        "cycleDay": shown.cycle_day,
        "etag": entry_etag(shown),
        "createdAt": entry.created_at,
        "updatedAt": entry.updated_at,
    }


def journal_page(page: Page[Shown[JournalEntry]]) -> dict[str, Any]:
    """Show a part of a journal: a JournalPage."""
    return {"entries": [entry_body(one) for one in page.things], "nextCursor": page.next_cursor}


def period_body(period: Period) -> dict[str, Any]:
    """Show a logged day: a PeriodBody."""
    return {
        "periodId": period.id,
        "userId": period.user_id,
        "date": period.date,
        "cycleLength": period.cycle_length,
        "flow": period.flow,
        "symptoms": period.symptoms,
        "createdAt": period.created_at,
    }


def period_page(page: Page[Period]) -> dict[str, Any]:
    """Show a part of a log of periods: a PeriodPage."""
    return {"periods": [period_body(one) for one in page.things], "nextCursor": page.next_cursor}


def scan_body(shown: Shown[SkinScan]) -> dict[str, Any]:
    """Show a line of the skin diary: a ScanBody."""
    scan, metrics = shown.thing, shown.thing.metrics
    return {
        "scanId": scan.id,
        "userId": scan.user_id,
        "date": scan.date,
        "metrics": {
            "radiance": metrics.radiance,
            "moisture": metrics.moisture,
            "texture": metrics.texture,
            "pores": metrics.pores,
            "darkCircles": metrics.dark_circles,
        },
        "cycleDay": shown.cycle_day,
        "createdAt": scan.created_at,
        "notice": NOTICE,
    }


def scan_page(page: Page[Shown[SkinScan]]) -> dict[str, Any]:
    """Show a part of a skin diary: a ScanPage."""
    return {"scans": [scan_body(one) for one in page.things], "nextCursor": page.next_cursor}
