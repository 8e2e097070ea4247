"""Providers, their offers and the price feeds."""

from __future__ import annotations

from pathlib import Path

import pytest

from satisfice.catalog.model import Capabilities
from satisfice.catalog.offers import Traits
from satisfice.config.load import Loaded, load
from satisfice.config.problems import Code
from satisfice.config.providers import FeedConfig
from satisfice.config.schema import Config
from satisfice.core.secrets import Secret
from satisfice.health.breaker import Limits
from satisfice.wire.request import Ability

_PROVIDER = '[[providers]]\nname = "a"\nurl = "https://a.example/v1"\n'
_MODEL = f'{_PROVIDER}[[providers.models]]\nid = "m"\nfree = true\n'
_FEED = '[[feeds]]\nname = "prices"\nurl = "https://prices.example/quotes.json"\n'


@pytest.mark.parametrize(
    ("settings", "lists"),
    [
        ("", True),
        ("models = []", True),
        ("models = [{ id = 'm', free = true }]", False),
        ("list_models = true\nmodels = [{ id = 'm', free = true }]", True),
    ],
)
def test_a_provider_without_models_is_asked_for_them(settings: str, *, lists: bool) -> None:
    assert lists == _config(_PROVIDER + settings).providers[0].list_models


def test_a_provider_that_offers_nothing_is_warned_of() -> None:
    assert [Code.NO_MODELS] == _codes(f"{_PROVIDER}list_models = false")


def test_a_model_has_the_same_name_upstream_unless_said_otherwise() -> None:
    config = _config(f"{_PROVIDER}models = [{{ id = 'm', free = true }}]")

    assert "m" == config.providers[0].offers[0].upstream_model


@pytest.mark.parametrize(
    ("settings", "env", "key"),
    [
        ("", {}, None),
        ("", {"SATISFICE_A_API_KEY": ""}, None),
        ("", {"SATISFICE_A_API_KEY": "by-convention\n"}, "by-convention"),
        ('key = "env:KEY"', {"SATISFICE_A_API_KEY": "by-convention", "KEY": "named"}, "named"),
    ],
)
def test_a_key_that_is_not_named_is_taken_from_a_variable_by_convention(
    settings: str, env: dict[str, str], key: str | None
) -> None:
    assert (Secret(key) if key else None) == _config(_PROVIDER + settings, env).providers[0].endpoint.key


def test_a_key_by_convention_has_to_be_one() -> None:
    loaded = _load(_PROVIDER, {"SATISFICE_A_API_KEY": "two words"})

    assert [(2, Code.BAD_VALUE)] == [(problem.line, problem.code) for problem in loaded.problems]
    assert "SATISFICE_A_API_KEY" in loaded.problems[0].message
    assert "two words" not in str(loaded.problems)


@pytest.mark.parametrize(
    ("settings", "codes"),
    [
        ("first_byte_timeout = 601", [Code.UNREACHABLE_TIMEOUT]),
        ("total_timeout = 60", []),
        ("total_timeout = 60\nidle_timeout = 60", []),
        ("total_timeout = 1\nidle_timeout = 2\nconnect_timeout = 3", [Code.UNREACHABLE_TIMEOUT] * 2),
    ],
)
def test_a_timeout_that_is_set_can_be_reached(settings: str, codes: list[Code]) -> None:
    """A default that is longer than the whole call says nothing about what somebody wanted."""
    assert codes == _codes(_PROVIDER + settings)


def test_names_are_told_apart() -> None:
    models = "models = [{ id = 'm', free = true }, { id = 'm', free = true }]\n"
    loaded = _load(_PROVIDER + models + _PROVIDER)

    assert [(4, Code.DUPLICATE), (6, Code.DUPLICATE)] == [(found.line, found.code) for found in loaded.problems]
    assert ["line 4 has it already: change one of them", "line 2 has it already: change one of them"] == [
        problem.hint for problem in loaded.problems
    ]


def test_two_providers_may_have_the_same_model() -> None:
    models = "models = [{ id = 'm', free = true }]\n"

    assert [] == _codes(_PROVIDER + models + _PROVIDER.replace('"a"', '"b"') + models)


def test_no_model_is_called_auto() -> None:
    assert [Code.BAD_VALUE] == _codes(f"{_PROVIDER}models = [{{ id = 'auto', free = true }}]")


def test_the_models_of_a_provider_that_is_not_right_are_checked_too() -> None:
    assert [Code.MISSING_KEY, Code.UNPRICED_MODEL] == _codes('[[providers]]\nname = "a"\nmodels = [{ id = "m" }]')


def test_an_offer_has_what_is_said_of_its_model() -> None:
    said = 'context = 128_000\nmax_output = 16_384\ncan = ["tools", "vision"]\ncannot = ["reasoning"]'
    can = frozenset({Ability.TOOLS, Ability.VISION})

    assert Capabilities(context=128_000, max_output=16_384, has=can, lacks=frozenset({Ability.REASONING})) == (
        _config(_MODEL + said).providers[0].offers[0].capabilities
    )


def test_what_is_not_said_of_a_model_is_not_known() -> None:
    (offer,) = _config(_MODEL).providers[0].offers

    assert (Capabilities(), Traits()) == (offer.capabilities, offer.traits)


def test_a_model_is_run_as_its_provider_runs_all_unless_it_has_a_precision_of_its_own() -> None:
    said = 'region = "eu"\nretention = "none"\nquantisation = "fp16"\n'
    models = "models = [{ id = 'm', free = true }, { id = 'n', free = true, quantisation = 'int4' }]"
    provider = _config(_PROVIDER + said + models).providers[0]

    assert Traits(region="eu", retention="none", quantisation="fp16") == provider.traits
    assert [
        provider.traits,
        Traits(region="eu", retention="none", quantisation="int4"),
    ] == [offer.traits for offer in provider.offers]


def test_any_model_is_an_offer_like_others() -> None:
    (offer,) = _config(_MODEL.replace('"m"', '"*"')).providers[0].offers

    assert ("*", "*", "*@a") == (offer.model, offer.upstream_model, offer.id)


@pytest.mark.parametrize(
    ("settings", "limits"),
    [
        ("", None),
        ("failures = 5", Limits(failures=5, open_for=20.0, open_max=60.0)),
        ("open_for = 10", Limits(failures=2, open_for=10.0, open_max=60.0)),
        ("failures = 5\nopen_for = 60", Limits(failures=5, open_for=60.0, open_max=60.0)),
    ],
)
def test_a_provider_s_breakers_behave_as_others_as_far_as_nothing_else_is_said(
    settings: str, limits: Limits | None
) -> None:
    health = "[health]\nfailures = 2\nopen_for = 20\nopen_max = 60\n"

    assert limits == _config(f"{health}{_PROVIDER}{settings}").providers[0].limits


@pytest.mark.parametrize(
    ("settings", "seconds"), [("", None), ("cache_lifetime = 0", 0.0), ("cache_lifetime = 300", 300.0)]
)
def test_a_provider_without_a_cache_is_not_one_whose_cache_is_not_known(settings: str, seconds: float | None) -> None:
    assert seconds == _config(_PROVIDER + settings).providers[0].cache_lifetime


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("upstream_id = 'n'", []),
        ("context = 8\nmax_output = 8", []),
        ("context = 8\nmax_output = 9", [(8, Code.CONFLICT)]),
        ("can = ['tools']\ncannot = ['vision', 'tools']", [(8, Code.CONFLICT)]),
        ("can = ['tools']\ncannot = ['tool']", [(8, Code.BAD_VALUE)]),
    ],
)
def test_what_is_said_of_a_model_agrees(text: str, places: list[tuple[int, Code]]) -> None:
    assert places == _places(_MODEL + text)


def test_any_model_has_no_name_upstream() -> None:
    text = _MODEL.replace('"m"', '"*"') + "upstream_id = 'n'"

    assert [(7, Code.CONFLICT)] == _places(text)


def test_a_provider_is_not_left_alone_for_longer_than_anybody() -> None:
    assert [(4, Code.CONFLICT)] == _places(f"{_PROVIDER}open_for = 601")
    assert [] == _places(f"{_PROVIDER}open_for = 601\n[health]\nopen_max = 601")


def test_a_feed_is_asked_often_enough_for_its_quotes_to_be_young() -> None:
    assert (FeedConfig(name="prices", url="https://prices.example/quotes.json", max_age=60.0, period=60.0),) == (
        _config(f"{_FEED}max_age = 60").feeds
    )
    assert [(4, Code.CONFLICT)] == _places(f"{_FEED}max_age = 59")


@pytest.mark.parametrize(
    ("url", "codes"),
    [
        ("https://prices.example", []),
        ("http://127.0.0.1:9000/", []),
        ("http://[::1]:9000/", []),
        ("http://localhost/quotes", []),
        ("http://10.0.0.1/quotes", [Code.PLAIN_FEED]),
        ("http://prices.example", [Code.PLAIN_FEED]),
        ("ftp://prices.example", [Code.BAD_VALUE]),
    ],
)
def test_prices_that_may_be_changed_on_the_way_are_warned_of(url: str, codes: list[Code]) -> None:
    assert codes == [code for _, code in _places(f'[[feeds]]\nname = "prices"\nurl = "{url}"')]


def test_feeds_are_told_apart() -> None:
    assert [(5, Code.DUPLICATE)] == _places(_FEED + _FEED)


def _load(text: str, env: dict[str, str] | None = None) -> Loaded:
    return load(text, file="file.toml", env=env or {}, base=Path())


def _config(text: str, env: dict[str, str] | None = None) -> Config:
    loaded = _load(text, env)
    assert (True, ()) == (loaded.config is not None, loaded.problems)
    return loaded.config or Config()


def _codes(text: str, env: dict[str, str] | None = None) -> list[Code]:
    return [problem.code for problem in _load(text, env).problems]


def _places(text: str) -> list[tuple[int, Code]]:
    return [(problem.line, problem.code) for problem in _load(text).problems]
