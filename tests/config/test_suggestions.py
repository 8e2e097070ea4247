"""What somebody may have meant."""

from __future__ import annotations

import msgspec
import pytest

from satisfice.config.schema import FILE, MODELS, PROVIDERS, ROUTING, SERVER, TABLES
from satisfice.config.suggestions import suggest
from satisfice.config.tables import Table


@pytest.mark.parametrize(
    ("name", "table", "hint"),
    [
        ("prot", SERVER, "did you mean `port`?"),
        ("PORT", SERVER, "did you mean `port`?"),
        ("master_key", SERVER, "did you mean `access_token`?"),
        ("mastre_key", SERVER, "did you mean `access_token`?"),
        ("base_url", PROVIDERS, "did you mean `url`?"),
        ("name", MODELS, "did you mean `id`?"),
        ("modle", MODELS, "did you mean `id`?"),
        ("modles", PROVIDERS, "did you mean [[providers.models]]?"),
        ("provider", FILE, "did you mean [[providers]]?"),
        ("models", FILE, "did you mean [[providers.models]]?"),
        ("host", FILE, "`host` belongs under [server]"),
        ("usd_per_btc", ROUTING, "`usd_per_btc` belongs under [rates]"),
        ("max_attempt", SERVER, "`max_attempts` belongs under [routing]"),
        ("zzz", FILE, "there are [server], [rates], [routing], [[providers]]"),
    ],
)
def test_a_hint_names_the_likeliest(name: str, table: Table[msgspec.Struct], hint: str) -> None:
    assert hint == suggest(name, table)


def test_what_other_programs_call_a_setting_is_never_the_name_of_another() -> None:
    for table in TABLES:
        names = [each.name for each in table.settings]
        also = [alias for each in table.settings for alias in each.also]
        assert len(set(also)) == len(also)
        assert not set(also) & set(names)
