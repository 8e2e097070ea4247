"""The pages name every error code, path and header field that there is, and none that there isn't."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from satisfice.core import errors
from satisfice.core.clock import ManualClock
from satisfice.core.errors import GatewayError
from satisfice.engine.assembly import scripted_gateway
from satisfice.server.access import Access
from satisfice.server.app import App
from satisfice.server.downstream import Message
from satisfice.transport.scenario import scenario
from satisfice.transport.scripted import ScriptedTransport

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
FIELD = re.compile(r"x-satisfice-[a-z-]+[a-z]")


def leaves(kind: type[GatewayError] = GatewayError) -> Iterator[type[GatewayError]]:
    """The errors that are raised: those without kinds of their own."""
    kinds = [each for each in kind.__subclasses__() if not each.__name__.startswith("_")]
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


async def test_every_path_that_is_told_of_is_served() -> None:
    told = re.findall(r"^\| `(GET|POST) (/[^`]*)`", (DOCS / "http.md").read_text(), re.MULTILINE)
    clock = ManualClock()
    demo = scenario("demo")
    gateway = scripted_gateway(demo, ScriptedTransport(demo, clock), clock=clock)
    app = App(gateway, access=Access(), max_body=1 << 20)

    assert 6 <= len(told)
    for method, path in told:
        asked = path.replace("{id}", gateway.catalog.models[0])

        assert (await _status(app, method, path=asked)) in {200, 400}, path


async def _status(app: App, method: str, *, path: str) -> int:
    """What an empty request is answered with, asked as an ASGI server does."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app({"type": "http", "method": method, "path": path, "headers": []}, receive, send)
    return int(sent[0]["status"])


def test_the_map_has_every_module_with_its_first_line() -> None:
    source = ROOT / "src" / "satisfice"
    modules = {
        ".".join(path.relative_to(source).with_suffix("").parts): _first_line(path)
        for path in source.rglob("*.py")
        if not path.stem.startswith("__")
    }
    rows = dict(re.findall(r"^\| `([a-z0-9_.]+)` \| (.*) \|$", (DOCS / "design.md").read_text(), re.MULTILINE))

    assert modules == rows


def _first_line(path: Path) -> str:
    return (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]
