"""The catalogue's file and its command."""

from pathlib import Path
from typing import get_args

import pytest

from mien_api import products
from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.errors import Rejected
from mien_core.model.face import MonkTone, Tone, Undertone
from mien_core.model.looks import Category
from mien_core.rules.looks import recommend

HEAD = "id,category,name,shade_name,shade_hex,finish,url\n"
LINE = "lip-1,lipstick,Velvet,Rosewood,#A4414B,satin,https://shop.example/1\n"


def written(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "products.csv"
    path.write_text(text, encoding)
    return path


def test_a_file_is_read(tmp_path: Path) -> None:
    """Quotes, other columns, another order and a byte order mark included, as spreadsheets write them."""
    text = 'name,id,category,note,shade_name,shade_hex,finish,url\n"Velvet, ""soft""",lip-1,lipstick,x,ä,#a4414b,satin,'
    [one] = products.read(written(tmp_path, f"{text}https://shop.example/1\n", "utf-8-sig"))
    assert (one.product_id, one.name, one.shade.name) == ("lip-1", 'Velvet, "soft"', "ä")


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("", "catalogue_malformed", "lacks id, category"),
        (HEAD.replace("url", "link") + LINE, "catalogue_malformed", "lacks url"),
        (HEAD + LINE.replace("lipstick", "nose"), "catalogue_malformed", "Line 2: category"),
        (HEAD + LINE + LINE.replace("#A4414B", "red"), "catalogue_malformed", "Line 3: shade.hex"),
        (HEAD + LINE.replace("satin,", "satin,javascript:"), "catalogue_malformed", "url"),
        (HEAD + "lip-1,lipstick\n", "catalogue_malformed", "Line 2: name"),
        (HEAD + '"lip-1,lipstick\n', "catalogue_malformed", "Line 2"),
        (HEAD + LINE + LINE, "catalogue_ambiguous", "lip-1"),
    ],
)
def test_a_wrong_file_is_refused_whole(tmp_path: Path, text: str, code: str, words: str) -> None:
    """With the line and what is wrong there."""
    with pytest.raises(Rejected) as caught:
        products.read(written(tmp_path, text))
    assert caught.value.code == code
    assert words in caught.value.detail


def test_a_file_that_is_not_there_or_no_text_is_said_so(tmp_path: Path) -> None:
    """catalogue_unreadable, with the path."""
    for path in (tmp_path / "none.csv", written(tmp_path, "ä", "latin-1")):
        with pytest.raises(Rejected, match="catalogue_unreadable") as caught:
            products.read(path)
        assert str(path) in caught.value.detail


async def test_a_catalogue_is_loaded_and_noted() -> None:
    """Another one takes its place, unless it is to be left alone; the audit log tells of each that was loaded."""
    database, samples = MemoryDatabase(), products.read(None)
    assert await products.load(database, samples, only_if_empty=True)
    assert await products.list_products(database) == samples
    assert not await products.load(database, samples[:3], only_if_empty=True)
    assert await products.list_products(database) == samples
    assert await products.load(database, samples[:3], only_if_empty=False)
    assert await products.list_products(database) == samples[:3]
    noted = [("console", "products.loaded", f"{count} products") for count in (len(samples), 3)]
    assert database.state.audit_log == noted


@pytest.mark.parametrize("undertone", get_args(Undertone))
@pytest.mark.parametrize("monk", range(1, 11))
def test_the_samples_have_something_for_everybody(monk: int, undertone: Undertone) -> None:
    """On each tone and undertone every category of every look names a product."""
    tone = Tone(ita=0.0, tone_class="tan", monk=MonkTone(tone=monk, delta_e=0.0), undertone=undertone)
    for look in recommend(tone, None, products.read(None)):
        assert len(look.products) == len(get_args(Category))
