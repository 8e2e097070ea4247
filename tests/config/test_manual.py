"""The settings explained."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

import pytest

from satisfice.config.load import default_config, load
from satisfice.config.manual import example, fill, json_schema
from satisfice.config.problems import Code
from satisfice.config.schema import TABLES
from satisfice.config.tables import Setting

_PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
_SETTINGS = [(f"{table.header}.{each.name}", table.name, each) for table in TABLES for each in table.settings]
_NEEDED = {
    "providers": {"name": '"x"', "url": '"https://x.example"'},
    "providers.models": {"id": '"m"'},
    "providers.models.tiers": {"above": "1"},
    "feeds": {"name": '"x"', "url": '"https://x.example"'},
    "models": {"name": '"x"'},
    "policies": {"name": '"x"'},
    "keys": {"name": '"x"', "key": '"env:LAPTOP_KEY"'},
}
_UNFINISHED = {
    "providers.models": {Code.UNPRICED_MODEL, Code.INCOMPLETE_PRICE},
    "providers.models.tiers": {Code.INCOMPLETE_PRICE},
    "models": {Code.MISSING_KEY},
}
"""What may be wrong with a table that has no more than one of its settings."""
_PROVIDER = '[[providers]]\nname = "{}"\nurl = "https://x.example"\n'
_MODEL = '[[providers.models]]\nid = "m"\ninput_{0}_per_mtok = 1\noutput_{0}_per_mtok = 1\n'
# What the examples lean on: other providers, a policy, the price of a model.
_AROUND = (
    "[rates]\nusd_per_btc = 95_000\n"
    f"{_PROVIDER.format('openrouter')}{_PROVIDER.format('local')}"
    '[[policies]]\nname = "careful"\n'
)


def test_the_example_changes_nothing_as_it_is() -> None:
    loaded = load(example(), file="example.toml", env={}, base=Path())

    assert (default_config(), ()) == (loaded.config, loaded.problems)


def test_the_example_has_every_setting_commented_out() -> None:
    shown = re.findall(r"(?m)^#(\w+) = ", example())

    assert shown == [setting.name for table in TABLES for setting in table.settings]


@pytest.mark.parametrize(("table", "setting"), [pytest.param(table, each, id=name) for name, table, each in _SETTINGS])
def test_what_is_shown_of_a_setting_is_right(table: str, setting: Setting, tmp_path: Path) -> None:
    (tmp_path / "my-ca.pem").write_text("-----BEGIN CERTIFICATE-----")
    beside = {"strategy": '"weighted"'} if setting.name == "weights" else {}
    lines = {**_NEEDED.get(table, {}), **beside, setting.name: setting.shown.replace("/etc/ssl/", "")}
    text = "".join(f"{name} = {value}\n" for name, value in lines.items())
    above = _PROVIDER.format("x") if table.startswith("providers.") else ""
    above += _MODEL.format("msat" if "_msat_" in setting.name else "usd") if table.endswith(".tiers") else ""
    header = next(each.header for each in TABLES if each.name == table)
    around = "" if setting.name in {"name", "usd_per_btc"} else _AROUND  # which has some of those already
    env = {"SATISFICE_TOKEN": "t", "OPENROUTER_API_KEY": "k", "LAPTOP_KEY": "l"}
    loaded = load(f"{around}{above}{header}\n{text}", file="file.toml", env=env, base=tmp_path)

    assert {found.code for found in loaded.problems} <= _UNFINISHED.get(table, set())


def test_the_reference_page_is_made_of_the_tables() -> None:
    """`fill` makes it anew: `page.write_text(fill(page.read_text()))`."""
    page = _PAGE.read_text()

    assert fill(page) == page


@pytest.mark.parametrize(("table", "setting"), [pytest.param(table, each, id=name) for name, table, each in _SETTINGS])
def test_the_reference_page_has_every_setting(table: str, setting: Setting) -> None:
    part = _PAGE.read_text().partition(f"<!-- made: {table} -->")[2].partition("<!-- end -->")[0]

    assert f"| `{setting.name}` | {setting.kind.what} |" in part


@pytest.mark.parametrize("code", Code)
def test_the_reference_page_explains_every_code(code: Code) -> None:
    assert f"| `{code.label}` | {code.severity.value} | {code.meaning} |" in _PAGE.read_text()


def test_only_the_parts_that_are_made_are_made_anew() -> None:
    page = "before\n<!-- made: rates -->\nold\n<!-- end -->\nafter"

    assert fill(page).startswith("before\n<!-- made: rates -->\n\n| setting |")
    assert fill(page).endswith("|\n\n<!-- end -->\nafter")
    assert "old" not in fill(page)


def test_the_schema_for_editors_has_every_setting_and_no_other() -> None:
    root = json_schema()
    for table in TABLES:
        part = root
        for key in table.name.split("."):
            part = _object(_object(part["properties"])[key])
            part = _object(part["items"]) if part["type"] == "array" else part
        inner = {each.key for each in table.tables}
        assert {each.name for each in table.settings} | inner == set(_object(part["properties"]))
        assert [each.name for each in table.settings if each.is_required] == part["required"]
        assert part["additionalProperties"] is False


def test_the_schema_for_editors_explains_a_setting() -> None:
    server = _object(_object(json_schema()["properties"])["server"])

    assert {
        "type": "integer",
        "minimum": 0,
        "maximum": 65_535,
        "description": "The port to listen on; 0 takes any free one.",
        "default": 8402,
    } == _object(server["properties"])["port"]


def _object(value: object) -> dict[str, object]:
    assert isinstance(value, dict)
    return cast("dict[str, object]", value)
