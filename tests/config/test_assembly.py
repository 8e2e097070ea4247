"""The rules that concern several settings at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from satisfice.catalog.model import ModelId
from satisfice.catalog.offers import Offer, Price
from satisfice.config.load import Loaded, load
from satisfice.config.problems import Code
from satisfice.config.schema import Config, ProviderConfig, RoutingConfig, ServerConfig
from satisfice.core.amounts import Rate, UsdPerBtc
from satisfice.core.secrets import Secret
from satisfice.ports import Endpoint, Timeouts

_WHOLE_TEXT = """
[server]
host = "0.0.0.0"
port = 80
access_token = "env:TOKEN"
max_body_mib = 8
drain_timeout = 1.5

[rates]
usd_per_btc = 95_000

[routing]
max_attempts = 2
hedge_after = 2.5
retry_ratio = 0.1
retry_reserve = 1
backoff_initial = 0.1
backoff_max = 1

[[providers]]
name = "open-router"
url = "https://openrouter.ai/api/v1/"
key = "env:KEY"
proxy = "socks5h://127.0.0.1:9050"
connect_timeout = 1
first_byte_timeout = 2
idle_timeout = 3
total_timeout = 4
list_models = true

[[providers.models]]
id = "gpt-4o"
upstream_id = "openai/gpt-4o"
input_msat_per_mtok = 1
output_msat_per_mtok = 2

[[providers]]
name = "local"
url = "http://127.0.0.1:11434/v1"
free = true
"""
_WHOLE = Config(
    server=ServerConfig(host="0.0.0.0", port=80, access_token=Secret("t"), max_body_mib=8, drain_timeout=1.5),  # noqa: S104 - read, not bound
    routing=RoutingConfig(
        max_attempts=2, hedge_after=2.5, retry_ratio=0.1, retry_reserve=1.0, backoff_initial=0.1, backoff_max=1.0
    ),
    providers=(
        ProviderConfig(
            endpoint=Endpoint(
                provider="open-router",
                url="https://openrouter.ai/api/v1",
                key=Secret("k"),
                timeouts=Timeouts(connect=1, first_byte=2, idle=3, total=4),
                proxy=Secret("socks5h://127.0.0.1:9050"),
            ),
            offers=(
                Offer(
                    provider="open-router",
                    model=ModelId("gpt-4o"),
                    upstream_model="openai/gpt-4o",
                    price=Price(input=Rate(1), output=Rate(2)),
                ),
            ),
            list_models=True,
        ),
        ProviderConfig(
            endpoint=Endpoint(provider="local", url="http://127.0.0.1:11434/v1"), list_models=True, free=True
        ),
    ),
    usd_per_btc=UsdPerBtc(95_000),
)
_PROVIDER = '[[providers]]\nname = "a"\nurl = "https://a.example/v1"\n'


def test_a_whole_file_becomes_what_the_gateway_is_built_from() -> None:
    assert _WHOLE == _config(_WHOLE_TEXT, {"TOKEN": "t", "KEY": "k"})


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
        ('host = "0.0.0.0"', [Code.OPEN_TO_NETWORK]),
        ('host = "gateway.example"', [Code.OPEN_TO_NETWORK]),
        ('host = "0.0.0.0"\naccess_token = "env:TOKEN"', []),
        ('host = "0.0.0.0"\naccess_token = "env:MISSING"', [Code.MISSING_VARIABLE]),
        ('host = "0.0.0.0"\naccess_token = ""', [Code.BAD_VALUE]),
        ('host = "::1"', []),
        ('host = "localhost"', []),
    ],
)
def test_other_machines_need_a_token(settings: str, codes: list[Code]) -> None:
    assert codes == _codes(f"[server]\n{settings}", {"TOKEN": "t"})


@pytest.mark.parametrize(
    ("settings", "codes"),
    [
        ("backoff_initial = 9", [Code.CONFLICT]),
        ("backoff_max = 0.1", [Code.CONFLICT]),
        ("backoff_initial = 8", []),
        ("backoff_initial = 9\nbackoff_max = 10", []),
    ],
)
def test_the_first_pause_is_not_longer_than_the_longest(settings: str, codes: list[Code]) -> None:
    assert codes == _codes(f"[routing]\n{settings}")


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


def _load(text: str, env: dict[str, str] | None = None) -> Loaded:
    return load(text, file="file.toml", env=env or {}, base=Path())


def _config(text: str, env: dict[str, str] | None = None) -> Config:
    loaded = _load(text, env)
    assert (True, ()) == (loaded.config is not None, loaded.problems)
    return loaded.config or Config()


def _codes(text: str, env: dict[str, str] | None = None) -> list[Code]:
    return [problem.code for problem in _load(text, env).problems]
