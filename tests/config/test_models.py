"""The settings of models and of their tiers."""

from __future__ import annotations

import pytest

from satisfice.config.models import MODELS, TIERS
from satisfice.config.problems import Unfit
from satisfice.config.tables import Setting

_RATES = {
    f"{what}_{unit}_per_mtok" for what in ("input", "output", "cache_read", "cache_write") for unit in ("msat", "usd")
}


def test_a_tier_has_the_rates_of_its_model_and_a_threshold() -> None:
    assert _RATES | {"above"} == {each.name for each in TIERS.settings}
    assert _RATES < {each.name for each in MODELS.settings}


@pytest.mark.parametrize("name", sorted(_RATES))
def test_a_rate_is_read_in_the_same_way_wherever_it_stands(name: str) -> None:
    def rate(settings: tuple[Setting, ...]) -> Setting:
        return next(each for each in settings if each.name == name)

    assert rate(MODELS.settings).kind == rate(TIERS.settings).kind


@pytest.mark.parametrize("name", ["gpt-4o", "openai/gpt-4o:free", "@cf/meta/llama-3", "*"])
def test_a_model_may_be_called(name: str) -> None:
    assert name == MODELS.settings[0].kind.read(name)


@pytest.mark.parametrize("name", ["", "gpt 4o", "gpt-*", "**", "模型"])
def test_a_model_may_not_be_called(name: str) -> None:
    with pytest.raises(Unfit):
        MODELS.settings[0].kind.read(name)
