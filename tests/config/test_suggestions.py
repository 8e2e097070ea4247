"""What somebody may have meant."""

from __future__ import annotations

import msgspec
import pytest

from satisfice.config.callers import KEYS, NAMES, POLICIES
from satisfice.config.models import MODELS, TIERS
from satisfice.config.providers import PROVIDERS
from satisfice.config.schema import FILE, HEALTH, ROUTING, SERVER, TABLES
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
        ("model_list", FILE, "did you mean [[providers.models]]?"),
        ("model", FILE, "did you mean [[models]]?"),
        ("policy", FILE, "did you mean [[policies]]?"),
        ("api_keys", FILE, "did you mean [[keys]]?"),
        ("circuit_breaker", FILE, "did you mean [health]?"),
        ("strategy", ROUTING, "`strategy` belongs under [[policies]]"),
        ("allowed_fails", ROUTING, "`failures` belongs under [health]"),
        ("cooldown_time", HEALTH, "did you mean `open_for`?"),
        ("teirs", MODELS, "did you mean [[providers.models.tiers]]?"),
        ("threshold", TIERS, "did you mean `above`?"),
        ("quantization", PROVIDERS, "did you mean `quantisation`?"),
        ("allowed_models", POLICIES, "did you mean `allow_models`?"),
        ("models", POLICIES, "did you mean `for_models`?"),
        ("api_key", KEYS, "did you mean `key`?"),
        ("fallbacks", NAMES, "did you mean `any_of`?"),
        ("input_usd_per_mtok", NAMES, "`input_usd_per_mtok` belongs under [[providers.models]]"),
        ("host", FILE, "`host` belongs under [server]"),
        ("usd_per_btc", ROUTING, "`usd_per_btc` belongs under [rates]"),
        ("max_attempt", SERVER, "`max_attempts` belongs under [routing]"),
        ("zzz", HEALTH, "there are `failures`, `open_for`, `open_max`, `probe_wait`"),
        ("zzz", NAMES, "there are `name`, `aliases`, `any_of`, `policy`"),
        ("zzz", FILE, f"there are {', '.join(each.header for each in FILE.tables)}"),
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
