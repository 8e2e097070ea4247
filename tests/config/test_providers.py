"""The settings of providers and of price feeds."""

from __future__ import annotations

import pytest

from satisfice.config.providers import FEEDS, PROVIDERS, FeedConfig, ProviderTable
from satisfice.config.schema import HEALTH
from satisfice.ports import Timeouts


def test_without_a_word_a_provider_is_as_patient_as_the_port_says() -> None:
    table = ProviderTable(name="a", url="https://a.example")

    assert Timeouts() == Timeouts(
        connect=table.connect_timeout,
        first_byte=table.first_byte_timeout,
        idle=table.idle_timeout,
        total=table.total_timeout,
    )


@pytest.mark.parametrize("name", ["failures", "open_for"])
def test_what_a_provider_says_of_its_breakers_is_read_as_for_all(name: str) -> None:
    (general,) = [each for each in HEALTH.settings if each.name == name]
    (own,) = [each for each in PROVIDERS.settings if each.name == name]

    assert general.kind == own.kind


def test_an_address_of_quotes_is_taken_as_it_is() -> None:
    """A provider's is the beginning of many addresses, so it is cut to what they have in common."""
    (url,) = [each for each in FEEDS.settings if each.name == "url"]

    assert "https://a.example/v1/models" == url.kind.read("https://a.example/v1/models")


def test_a_feed_is_looked_at_more_often_than_its_quotes_grow_old() -> None:
    feed = FeedConfig(name="a", url="https://a.example")

    assert feed.period < feed.max_age
