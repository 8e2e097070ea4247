"""Zero configuration."""

from __future__ import annotations

import pytest

from satisfice.config.addresses import Address
from satisfice.config.environment import KNOWN_PROVIDERS, LOCAL_SERVERS, from_environment
from satisfice.config.providers import PROVIDERS
from satisfice.config.schema import ProviderConfig
from satisfice.core.secrets import Secret
from satisfice.ports import Endpoint


def test_each_known_key_makes_a_provider_that_is_asked_for_its_models() -> None:
    env = {"GROQ_API_KEY": "gsk-1", "OPENAI_API_KEY": " sk-2\n", "PATH": "/bin"}

    assert (
        ProviderConfig(
            endpoint=Endpoint(provider="openai", url="https://api.openai.com/v1", key=Secret("sk-2")), list_models=True
        ),
        ProviderConfig(
            endpoint=Endpoint(provider="groq", url="https://api.groq.com/openai/v1", key=Secret("gsk-1")),
            list_models=True,
        ),
    ) == from_environment(env)


@pytest.mark.parametrize("value", ["", " ", "two words", "schlüssel"])
def test_what_can_not_be_sent_as_a_key_is_none(value: str) -> None:
    assert () == from_environment({"OPENAI_API_KEY": value})


def test_where_clients_are_pointed_to_is_not_where_we_ask() -> None:
    """OPENAI_BASE_URL may well be the address of this gateway."""
    env = {"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": "http://127.0.0.1:8402/v1"}

    assert ["https://api.openai.com/v1"] == [provider.endpoint.url for provider in from_environment(env)]


def test_what_is_known_could_stand_in_a_file() -> None:
    name = PROVIDERS.settings[0].kind
    for known in KNOWN_PROVIDERS:
        assert (known.name, known.url) == (name.read(known.name), Address().read(known.url))
    for server in LOCAL_SERVERS:
        assert server.name == name.read(server.name)


def test_no_name_stands_twice() -> None:
    names = [each.name for each in (*KNOWN_PROVIDERS, *LOCAL_SERVERS)]

    assert len(set(names)) == len(names)
    assert len({known.variable for known in KNOWN_PROVIDERS}) == len(KNOWN_PROVIDERS)


def test_a_server_on_this_machine_is_free() -> None:
    assert (
        ProviderConfig(
            endpoint=Endpoint(provider="ollama", url="http://127.0.0.1:11434/v1"), list_models=True, free=True
        )
        == LOCAL_SERVERS[0].provider
    )
