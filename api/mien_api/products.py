"""`python -m mien_api products`: the catalogue that looks are recommended from, read from CSV."""

import csv
from collections import Counter
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from mien_core.errors import Rejected
from mien_core.model.recommendations import CatalogueProduct
from mien_core.ports.database import Database

# who did it, in the audit log: whoever has a console has the database, too
ACTOR = "console"
COLUMNS: Final = ("id", "category", "name", "shade_name", "shade_hex", "finish", "url")


def read(path: Path | None) -> list[CatalogueProduct]:
    """Read a catalogue from a file with a header line, or the samples that come with this package.

    Raises:
        Rejected: catalogue_unreadable, catalogue_malformed (with the line) or catalogue_ambiguous (with the ids).
    """
    try:
        text = (path or files("mien_api") / "sample_products.csv").read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Rejected("catalogue_unreadable", f"{path} can't be read as a file in UTF-8: {error}.") from error
    products = _parsed(text.splitlines())
    repeated = [name for name, count in Counter(one.product_id for one in products).items() if count > 1]
    if repeated:
        raise Rejected("catalogue_ambiguous", f"Each id may stand there once; repeated: {', '.join(repeated)}.")
    return products


async def load(database: Database, products: list[CatalogueProduct], *, only_if_empty: bool) -> bool:
    """Have these products in the catalogue, and no others; False if it is to be left alone since it has some.

    What was recommended and saved before stays as it was told.
    """
    async with database.transaction() as transaction:
        if only_if_empty and await transaction.products.all():
            return False
        await transaction.products.replace(products)
        await transaction.audit_log.add(ACTOR, "products.loaded", f"{len(products)} products")
    return True


async def list_products(database: Database) -> list[CatalogueProduct]:
    """Give the catalogue, by id."""
    async with database.reading() as reading:
        return await reading.products.all()


def _parsed(lines: Iterable[str]) -> list[CatalogueProduct]:
    rows = csv.DictReader(lines, strict=True)
    products: list[CatalogueProduct] = []
    try:
        missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise Rejected(
                "catalogue_malformed", f"The first line must name all columns; it lacks {', '.join(missing)}."
            )
        products.extend(_product(row) for row in rows)
    except ValidationError as error:
        part = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(step) for step in part["loc"])
        raise Rejected("catalogue_malformed", f"Line {rows.line_num}: {where}: {part['msg']}.") from None
    except csv.Error as error:
        raise Rejected("catalogue_malformed", f"Line {rows.reader.line_num}: {error}.") from None
    return products


def _product(row: dict[str, str]) -> CatalogueProduct:
    return CatalogueProduct.model_validate(
        {
            "product_id": row["id"],
            "category": row["category"],
            "name": row["name"],
            "shade": {"name": row["shade_name"], "hex": row["shade_hex"]},
            "finish": row["finish"],
            "url": row["url"],
        }
    )
