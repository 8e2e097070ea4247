"""The pages name every error code, path and header field that there is, and none that there isn't."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from satisfice.core import errors
from satisfice.core.errors import GatewayError

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
FIELD = re.compile(r"x-satisfice-[a-z-]+[a-z]")


def leaves(kind: type[GatewayError] = GatewayError) -> Iterator[type[GatewayError]]:
    """The errors that are raised: those without kinds of their own."""
    kinds = kind.__subclasses__()
    if not kinds:
        yield kind
    for each in kinds:
        yield from leaves(each)


@pytest.mark.parametrize("kind", tuple(leaves()), ids=lambda kind: kind.__name__)
def test_every_error_has_its_row(kind: type[GatewayError]) -> None:
    rows = [line for line in (DOCS / "errors.md").read_text().splitlines() if line.startswith(f"| `{kind.code}` ")]

    assert 1 == len(rows)
    assert f"| {kind.status}" in rows[0]
    assert f"| {kind.source.value} |" in rows[0]


@pytest.mark.parametrize("kind", tuple(leaves()), ids=lambda kind: kind.__name__)
def test_every_error_is_in_the_drawn_tree_and_says_what_to_do(kind: type[GatewayError]) -> None:
    drawing = errors.__doc__ or ""

    assert re.search(rf"─ {kind.__name__}\b", drawing)
    assert kind.hint.endswith(".")


def test_no_row_tells_of_an_error_that_is_gone() -> None:
    told = re.findall(r"^\| `(\w+)` ", (DOCS / "errors.md").read_text(), re.MULTILINE)

    assert sorted(kind.code for kind in leaves()) == sorted(told)


def test_every_header_field_is_told_of_and_no_other() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))

    assert set(FIELD.findall(sources)) == set(FIELD.findall((DOCS / "http.md").read_text()))


def test_every_path_is_told_of() -> None:
    routes = re.findall(r'"(/[a-z0-9/]*)": \("(?:GET|POST)"', (ROOT / "src/satisfice/server/app.py").read_text())
    page = (DOCS / "http.md").read_text()

    assert routes
    assert [] == [route for route in routes if f"`{route}`" not in page and f" {route}`" not in page]
