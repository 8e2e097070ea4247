"""The file that `init` writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from satisfice.catalog.offers import Catalog
from satisfice.cli.plan import here
from satisfice.cli.sample import SCHEMA_FILE, sample
from satisfice.config.environment import LocalServer
from satisfice.config.load import load
from satisfice.config.schema import Config
from tests.build import a_price, an_offer

LOCAL = (LocalServer("ollama", 11434), LocalServer("vllm", 8000))
CATALOG = Catalog([an_offer("ollama", "tiny"), an_offer("ollama", "small")])
KEYS = {"OPENAI_API_KEY": "sk-canary-1", "GROQ_API_KEY": "gsk-canary-2"}


def written(env: Mapping[str, str], catalog: Catalog = CATALOG, *, has_schema: bool = False) -> str:
    return sample(here(env, LOCAL), catalog, has_schema=has_schema)


def read(text: str, env: Mapping[str, str]) -> Config:
    loaded = load(text, file="satisfice.toml", env=env, base=Path())
    assert () == loaded.problems
    assert loaded.config is not None
    return loaded.config


@pytest.mark.parametrize("env", [KEYS, {}, {"SATISFICE_TOKEN": "canary-3", **KEYS}])
def test_what_it_writes_is_valid_and_means_what_was_found(env: Mapping[str, str]) -> None:
    made = here(env, LOCAL)

    config = read(written(env), env)

    assert [each.endpoint for each in (*made.config.providers, made.maybe[0])] == [
        each.endpoint for each in config.providers
    ]
    assert made.config.server == config.server


def test_providers_that_do_not_say_what_they_charge_can_be_used_and_are_named() -> None:
    """As without a file: `serve` would otherwise do less after `init` than before."""
    catalog = Catalog([an_offer("openai", price=None), an_offer("groq", price=a_price()), an_offer("ollama", "tiny")])

    text = written(KEYS, catalog)

    assert read(text, KEYS).routing.allow_unpriced
    assert "# What these charge is not known: openai. " in text


def test_so_can_those_that_could_not_be_asked() -> None:
    assert "# What these charge is not known: openai, groq. " in written(KEYS)


@pytest.mark.parametrize("env", [{}, {"GROQ_API_KEY": "gsk-canary-2"}])
def test_where_all_prices_are_known_no_other_models_are_used(env: Mapping[str, str]) -> None:
    catalog = Catalog([an_offer("groq", price=a_price()), an_offer("ollama", "tiny")])

    text = written(env, catalog)

    assert not read(text, env).routing.allow_unpriced
    assert "[routing]" not in text


def test_no_line_is_too_long_for_an_editor() -> None:
    assert max(map(len, written(KEYS).splitlines())) <= 120


def test_with_nothing_found_it_shows_how_a_provider_is_written() -> None:
    text = written({}, Catalog())

    assert () == read(text, {}).providers
    template = text[text.index("# [[providers]]") :].replace("# ", "")
    assert ["openrouter"] == [each.name for each in read(template, {"OPENROUTER_API_KEY": "x"}).providers]


def test_a_model_server_is_written_with_what_it_had() -> None:
    text = written({})

    assert "# A model server answered at localhost:11434, with 2 models.\n" in text
    assert "vllm" not in text


def test_no_secret_is_in_it() -> None:
    assert "canary" not in written({**KEYS, "SATISFICE_TOKEN": "canary-3"})


def test_where_the_schema_lies_beside_it_editors_are_told_so_in_the_first_line() -> None:
    assert f"#:schema ./{SCHEMA_FILE}" == written({}, has_schema=True).splitlines()[0]
    assert f"`satisfice config schema > {SCHEMA_FILE}`" in written({}).splitlines()[0]
