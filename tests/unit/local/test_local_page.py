"""Report pages as a browser finds them."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from mien_core.errors import Rejected
from mien_local.analysed import Analysed
from mien_local.page.content import condition_rows, gate_rows, number
from mien_local.page.folder import Exhibit, ReportFolder
from mien_local.page.pictures import face_window

VOID = {"meta", "img", "br", "link", "input"}


class Page(HTMLParser):
    """What a browser would make of a page: its elements with their attributes, and its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(path.read_text())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def links(self) -> list[str]:
        named = [attributes.get(name) for _, attributes in self.elements for name in ("src", "href")]
        return [link for link in named if link is not None]


@pytest.fixture(scope="module")
def written(astronaut: Analysed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The astronaut's page."""
    folder = ReportFolder(tmp_path_factory.mktemp("page"), alone=True)
    folder.add(astronaut)
    return folder.finish()


def test_a_page_needs_nothing_but_its_folder(written: Path) -> None:
    """No script, no address; every picture and link is a file that is there; every element is closed."""
    page = Page(written)
    assert not page.open
    assert not page.all("script")
    assert "://" not in written.read_text()
    links = page.links()
    assert len(links) > 10
    for link in links:
        assert (written.parent / link).is_file(), link


def test_a_page_can_be_read_without_seeing_it(written: Path) -> None:
    """A language, one h1, no level of heading left out, an alt for each picture, a label for each drawing."""
    page = Page(written)
    assert page.all("html")[0]["lang"] == "en"
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))
    assert all(one.get("alt") is not None for one in page.all("img"))
    assert all(one.get("role") == "img" and one.get("aria-label") for one in page.all("svg"))
    assert all(one.get("scope") for one in page.all("th"))


def test_everything_that_was_measured_stands_on_the_page(astronaut: Analysed, written: Path) -> None:
    """Each gate, each condition, each measure with unit and method, each metric, tone, revision, notice."""
    text = Page(written).text
    skin = astronaut.skin
    for row in gate_rows(astronaut.face.face.quality.gates):
        assert row.label in text
        assert row.value in text
    for condition in condition_rows(astronaut):
        assert condition.label in text
    for measure in skin.measures:
        assert measure.unit.replace("cm2", "cm²") in text
        assert measure.method[1:] in text
        assert f"{number(measure.interval.low)} to {number(measure.interval.high)}" in text
    for abstained in skin.abstained:
        assert abstained.advice in text
    assert f"{astronaut.score}" in text
    assert astronaut.model_revision in text
    assert "not a diagnosis" in text
    pills = [attributes for attributes in Page(written).all("span") if attributes.get("class") == "pill"]
    assert len(pills) == sum(one.proxy for one in skin.measures) > 0


def test_each_piece_of_evidence_is_outlined_and_each_mask_is_there(astronaut: Analysed, written: Path) -> None:
    """As many polygons as regions and evidence; a mask of the photo's size where a measure points at any."""
    polygons = Page(written).all("polygon")
    evidence = sum(len(one.evidence) for one in astronaut.skin.measures)
    assert len(polygons) == len(astronaut.skin.regions) + evidence
    named = {one.name for one in astronaut.skin.measures if one.evidence}
    assert {path.stem.removeprefix("mask-") for path in written.parent.glob("*/mask-*.png")} == named
    for path in written.parent.glob("*/mask-*.png"):
        with Image.open(path) as mask:
            assert mask.size == (astronaut.photo.width, astronaut.photo.height)


def test_a_name_is_text_whatever_it_says(astronaut: Analysed, tmp_path: Path) -> None:
    """A photo's name can't write HTML, on its own page or in the list."""
    name = '<img src=x onerror="alert(1)">&amp;.jpg'
    folder = ReportFolder(tmp_path, alone=False)
    page = Page(folder.add(replace(astronaut, name=name)))
    folder.add_failure(name, Rejected("no_face", "<b>No</b> face."))
    listed = Page(folder.finish())
    for one in (page, listed):
        assert name in one.text
        assert not any("onerror" in attributes for _, attributes in one.elements)
    assert "<b>No</b> face." in listed.text


def test_pages_stay_in_their_folder_and_apart(astronaut: Analysed, tmp_path: Path) -> None:
    """Names from elsewhere are no paths, two photos of one name have two pages, and none is the list."""
    folder = ReportFolder(tmp_path / "out", alone=False)
    names = ["../../me.jpg", "/elsewhere/me.png", "ME.jpg", "index.jpg", "照片.jpg", ".jpg"]
    pages = [folder.add(replace(astronaut, name=name)) for name in names]
    assert folder.finish() not in pages
    assert len({str(page).lower() for page in pages}) == len(names)
    assert all(page.parent == tmp_path / "out" for page in pages)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    listed = Page(tmp_path / "out" / "index.html")
    assert all(page.name in listed.links() for page in pages)


def test_the_list_says_why_a_photo_has_no_page(astronaut: Analysed, tmp_path: Path) -> None:
    """Code and detail stand where the page's link would be; a photo that is alone has a list, too, if it failed."""
    folder = ReportFolder(tmp_path, alone=False)
    folder.add(astronaut)
    folder.add_failure("coffee.jpg", Rejected("no_face", "Send one with a face."))
    text = Page(folder.finish()).text
    for expected in ("coffee.jpg", "no_face", "Send one with a face.", "astronaut.jpg"):
        assert expected in text
    lonely = ReportFolder(tmp_path / "lonely", alone=True)
    lonely.add_failure("coffee.jpg", Rejected("no_face", "Send one with a face."))
    assert "no_face" in Page(lonely.finish()).text


def test_a_folder_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    """The code folder_not_writable, before any photo was looked at."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Rejected, match="folder_not_writable"):
        ReportFolder(tmp_path / "file", alone=True)


def test_a_photo_that_shows_no_skin_has_a_page_that_says_so(unseen: Analysed, tmp_path: Path) -> None:
    """No measure, no tone, no score: the page stands, and claims nothing."""
    dark = replace(unseen, face=unseen.face.model_copy(update={"tone": None}))
    page = Page(ReportFolder(tmp_path, alone=True).add(dark))
    assert "doesn't show it" in page.text
    assert page.text.count("Not judged. Add light.") == 8
    assert "Nothing" not in page.text


def test_further_pictures_are_shown_with_their_sentence(astronaut: Analysed, tmp_path: Path) -> None:
    """An exhibit is cut like the evidence beside it, and its caption is its description."""
    page = ReportFolder(tmp_path, alone=True).add(astronaut, [Exhibit("Twelve spots.", astronaut.photo.pixels)])
    assert "Twelve spots." in Page(page).text
    (picture,) = [one for one in Page(page).all("img") if one["alt"] == "Twelve spots."]
    window = face_window(astronaut.photo.pixels, astronaut.skin)
    with Image.open(tmp_path / str(picture["src"])) as shown:
        assert shown.width / shown.height == pytest.approx(window.width / window.height, rel=0.01)


def contrast(one: str, other: str) -> float:
    """The ratio of two colours (#rrggbb) by WCAG 2, 1 to 21."""

    def luminance(colour: str) -> float:
        channels = [value / 255 for value in bytes.fromhex(colour[1:])]
        linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_text_can_be_read_by_day_by_night_and_on_paper(written: Path) -> None:
    """Each colour of text stands out from page and card by at least 4.5, and from the Monk tone under its number."""
    style = written.read_text()
    blocks = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    themes = [dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block)) for block in blocks]
    assert len(themes) == 3
    for theme in themes:
        for text in ("ink", "quiet", "accent", "good", "bad"):
            assert contrast(theme[text], theme["paper"]) >= 4.5
            assert contrast(theme[text], theme["card"]) >= 4.5
    tones = re.findall(r'<li class="([^"]*)" style="background: (#[0-9a-f]{6})">\d+</li>', style)
    assert len(tones) == 10
    for kind, colour in tones:
        assert contrast(colour, "#ffffff" if "deep" in kind else "#000000") >= 4.5
