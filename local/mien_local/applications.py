"""What each of the five applications makes of one photo, called as its own frontend would: one line for each."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from mien_local.client import Client

# whose the demonstration's journal, poster and analyses are
USER = "demo"
_CYCLE_DAYS = 29


@dataclass(frozen=True)
class Line:
    """An application's name, and what came of it."""

    application: str
    said: str


@dataclass(frozen=True)
class Shown:
    """What the applications are shown with.

    Attributes:
        client: calls the platform.
        photo: the file's bytes.
        analysis: GlamAI's of that photo, the API's JSON.
        out: the folder that takes pictures.
    """

    client: Client
    photo: bytes
    analysis: Mapping[str, Any]
    out: Path

    def keep(self, url: str, name: str) -> Path:
        """Download a picture."""
        self.out.mkdir(parents=True, exist_ok=True)
        path = self.out / name
        path.write_bytes(self.client.download(url))
        return path


def lines(shown: Shown) -> Iterator[Line]:
    """Show one application after another.

    Raises:
        MienError: with the code of what went wrong.
    """
    for application, show in _APPLICATIONS.items():
        yield Line(application, show(shown))


def _glam(shown: Shown) -> str:
    look = shown.analysis["recommendation"]["looks"][0]
    saved = {"userId": USER, "uploadId": shown.analysis["uploadId"], "name": look["name"], "presets": look["presets"]}
    shown.client.call("POST", "/looks/save", {**saved, "products": []})
    presets = ", ".join(f"{preset['category']} {preset['color']} {preset['finish']}" for preset in look["presets"][:3])
    return f"“{look['name']}”: {presets}; saved as one of {USER}'s looks"


def _glow_cycle(shown: Shown) -> str:
    today = datetime.now(UTC).date()
    for cycles in (3, 2, 1):
        day = today - timedelta(days=_CYCLE_DAYS * cycles - 10)
        shown.client.call("POST", "/period", {"userId": USER, "date": f"{day}", "flow": "medium", "symptoms": []})
    following = shown.client.call("GET", f"/period/predictions/{USER}")["nextPeriod"]
    fields = {"userId": USER, "date": f"{today}"}
    # kept in the diary, of which this is the newest
    scan = shown.client.send_photo("/skin/analyze", shown.photo, fields, f"/skin/user/{USER}?limit=1")
    metrics = scan["metrics"] if "metrics" in scan else scan["scans"][0]["metrics"]
    seen = ", ".join(f"{name} {value:.0f}" for name, value in metrics.items() if value is not None)
    interval = following["interval"]
    percent = f"{interval['level'] * 100:.0f} %"
    return f"next period {following['date']} ({percent}: {interval['from']} to {interval['to']}); skin today: {seen}"


def _movie_poster(shown: Shown) -> str:
    shown.client.call("POST", "/user", {"user_id": USER, "email": "demo@example.com", "name": "Demo"})
    wanted = {"user_id": USER, "title": "The Long Orbit", "prompt": "An astronaut comes home", "genre": "sci-fi"}
    path = f"/movie-poster-api-design?{urlencode(wanted)}"
    poster = shown.client.wait_for(path, f"/history?{urlencode({'user_id': USER})}")
    url = poster["poster_url"] if "poster_url" in poster else poster["posters"][0]["poster_url"]
    account = shown.client.call("GET", f"/user?{urlencode({'user_id': USER})}")
    return f"“{wanted['title']}”: {shown.keep(url, 'poster.png')}; {account['credits']} credits left"


def _skin_chapters(shown: Shown) -> str:
    skin = shown.client.send_photo("/v1/analyze/skin", shown.photo, {"user_id": USER}, "/v1/analyze/skin/{id}")
    conditions = ", ".join(skin["conditions"]) or "none of the eight conditions"
    return f"{skin['skin_type']} skin, {conditions}; score {skin['skin_score']}, chapter {skin['recommended_chapter']}"


def _tryon(shown: Shown) -> str:
    path = "/api/tryon/sessions"
    # a look that is seen at once
    fields = {"user_token": USER, "look": "classic-red"}
    begun = shown.client.send_photo(path, shown.photo, fields, f"{path}/{{id}}")
    session = shown.client.until_ended(f"{path}/{begun['session_id']}")
    return f"the look classic-red on the photo: {shown.keep(session['output_image_url'], 'tryon.webp')}"


_APPLICATIONS: Mapping[str, Callable[[Shown], str]] = {
    "GlamAI": _glam,
    "Glow Cycle": _glow_cycle,
    "Movie Poster": _movie_poster,
    "Skin Chapters": _skin_chapters,
    "TryOnAI": _tryon,
}
