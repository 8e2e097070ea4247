"""The settings themselves."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import msgspec
import pytest

from satisfice.config.callers import NAMES, POLICIES
from satisfice.config.models import MODELS
from satisfice.config.schema import (
    FILE,
    SERVER,
    TABLES,
    Config,
    HealthConfig,
    ProviderConfig,
    RoutingConfig,
    ServerConfig,
    setting_at,
)
from satisfice.config.tables import Setting, Table
from satisfice.core.secrets import Secret
from satisfice.health.breaker import Limits
from satisfice.ports import Endpoint

_SETTINGS = [pytest.param(each, id=f"{table.header}.{each.name}") for table in TABLES for each in table.settings]


@pytest.mark.parametrize("setting", _SETTINGS)
def test_a_setting_says_what_it_does_and_what_holds_without_it(setting: Setting) -> None:
    assert setting.doc.endswith((".", ")."))
    assert setting.is_required != (setting.default is not None or bool(setting.otherwise))
    assert setting.shown


@pytest.mark.parametrize("setting", _SETTINGS)
def test_a_default_is_a_value_that_the_file_could_have(setting: Setting) -> None:
    if setting.default is not None:  # an empty list could not
        written = Decimal(str(setting.default)) if isinstance(setting.default, float) else setting.default
        assert setting.default == setting.kind.read(written)


def test_names_are_in_the_style_of_toml() -> None:
    for table in TABLES:
        for setting in table.settings:
            assert setting.name == setting.name.lower()
            assert setting.name.isidentifier()


def test_every_table_is_reached_from_the_file() -> None:
    def below(table: Table[msgspec.Struct]) -> Iterator[Table[msgspec.Struct]]:
        for each in table.tables:
            yield each
            yield from below(each)

    assert list(TABLES) == list(below(FILE))


def test_a_place_of_the_file_leads_to_its_setting() -> None:
    assert SERVER.settings[1] == setting_at(("server", "port"))
    assert MODELS.settings[0] == setting_at(("providers", 3, "models", 0, "id"))
    assert NAMES.settings[0] == setting_at(("models", 0, "name"))
    assert POLICIES.settings[1] == setting_at(("policies", 0, "for_models", 2))
    assert [None, None, None] == [setting_at(path) for path in (("port",), ("server", "prot"), ("server", "port", "a"))]


def test_without_a_word_breakers_behave_as_they_do_by_themselves() -> None:
    assert Limits() == HealthConfig().limits
    assert Limits(failures=1, open_for=2.0, open_max=4.0) == HealthConfig(failures=1, open_for=2, open_max=4).limits


def test_without_a_file_only_this_machine_is_served() -> None:
    assert Config() == Config(server=ServerConfig(host="127.0.0.1", port=8402), routing=RoutingConfig(), providers=())


@pytest.mark.parametrize("shape", [Config, ProviderConfig, *(table.shape for table in TABLES)])
def test_settings_are_frozen(shape: type[msgspec.Struct]) -> None:
    assert shape.__struct_config__.frozen


def test_a_provider_has_the_name_of_its_endpoint() -> None:
    endpoint = Endpoint(provider="a", url="https://a.example")

    assert "a" == ProviderConfig(endpoint=endpoint, list_models=True).name


def test_settings_do_not_show_secrets() -> None:
    server = ServerConfig(access_token=Secret("sk-canary-0123456789"))

    assert "canary" not in repr(server)
    with pytest.raises(TypeError):
        msgspec.json.encode(server)
