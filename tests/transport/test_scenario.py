"""Scenarios are read from TOML, all that is wrong in them is told at once, and those that are shipped are sound."""

from __future__ import annotations

from textwrap import dedent

import pytest

from satisfice.catalog.model import ModelId
from satisfice.catalog.offers import Offer, Price
from satisfice.core.amounts import Msat, Rate
from satisfice.core.errors import ConfigError
from satisfice.ports import Timeouts
from satisfice.transport.demo_answer import Pace
from satisfice.transport.scenario import Scenario, ScriptedProvider, load_scenario, scenario, shipped
from satisfice.transport.script import Script


def _load(text: str) -> Scenario:
    found = load_scenario(dedent(text))
    assert isinstance(found, Scenario), found
    return found


def _mistakes(text: str) -> list[str]:
    found = load_scenario(dedent(text), "a.toml")
    assert not isinstance(found, Scenario)
    return [str(mistake) for mistake in found]


def test_a_scenario_has_providers_with_offers_scripts_and_a_pace() -> None:
    loaded = _load("""
        description = "two of them"
        connect_timeout = 1
        first_byte_timeout = 2.5
        idle_timeout = 3
        total_timeout = 4

        [[providers]]
        name = "flaky"
        models = ["small", "large"]
        input_msat_per_mtok = 50_000
        output_msat_per_mtok = 200_000
        prices.large = { input_msat_per_mtok = 4, output_msat_per_mtok = 2, cache_read_msat_per_mtok = 0 }
        base_fee_msat = 3
        cycle = true
        scripts = ["refuse", '''
        head 200
        cut
        ''']

        [[providers]]
        name = "steady"
        models = ["small"]
        first_byte = 0.15
        per_token = 0.01
    """)
    flaky, steady = loaded.providers

    assert "two of them" == loaded.description
    assert Timeouts(connect=1, first_byte=2.5, idle=3, total=4) == loaded.timeouts
    assert (Script().refuse(), Script().head(200).cut()) == flaky.scripts
    assert flaky.cycle
    assert (Script().answer(),) == steady.scripts
    assert Pace(0.15, 0.01) == steady.pace
    small = Price(input=Rate(50_000), output=Rate(200_000), base_fee=Msat(3))
    large = Price(input=Rate(4), output=Rate(2), cache_read=Rate(0))
    assert (
        Offer(provider="flaky", model=ModelId("small"), upstream_model="small", price=small),
        Offer(provider="flaky", model=ModelId("large"), upstream_model="large", price=large),
        Offer(provider="steady", model=ModelId("small"), upstream_model="small", price=None),
    ) == loaded.offers


def test_its_endpoints_are_at_addresses_that_no_network_has() -> None:
    loaded = _load("""
        idle_timeout = 3
        [[providers]]
        name = "a"
        models = ["m"]
    """)
    (endpoint,) = loaded.endpoints

    assert ("a", "script://a", 3) == (endpoint.provider, endpoint.url, endpoint.timeouts.idle)


def test_what_is_not_said_is_as_everywhere() -> None:
    loaded = _load("providers = [{name = 'a', models = ['m'], script = 'refuse'}]")

    assert Timeouts() == loaded.timeouts
    assert (Script().refuse(),) == loaded.providers[0].scripts


def test_scripts_are_played_in_turn_and_the_last_again_or_all_again() -> None:
    scripts = (Script().refuse(), Script().cut())

    assert [0, 1, 1, 1] == [scripts.index(ScriptedProvider("a", scripts).script(attempt)) for attempt in range(4)]
    assert [0, 1, 0, 1] == [
        scripts.index(ScriptedProvider("a", scripts, cycle=True).script(attempt)) for attempt in range(4)
    ]


@pytest.mark.parametrize(
    ("text", "mistakes"),
    [
        ("x = [", ["a.toml:1: Invalid value (at end of document)"]),
        ("x = 1\nx = 2\n", ["a.toml:2: Cannot overwrite a value (at line 2, column 6)"]),
        ("", ["a.toml:1: Object missing required field `providers`"]),
        ("providers = []", ["a.toml:1: `providers`: Expected `array` of length >= 1"]),
        (
            "decription = 1\n[[providers]]\nname = 'a'\nmodels = ['m']",
            ["a.toml:1: `decription` is no setting here: there is `description`"],
        ),
        (
            "[[providers]]\nname = 'a'\nmodels = ['m']\nfirst-byte = 1",
            ["a.toml:4: `first-byte` is no setting here: there is `first_byte`"],
        ),
        (
            "[[providers]]\nname = 'a b'\nmodels = ['m']",
            ["a.toml:2: `name`: Expected `str` matching regex '^[A-Za-z0-9][A-Za-z0-9._-]*$'"],
        ),
        ("[[providers]]\nname = 'a'\nmodels = []", ["a.toml:3: `models`: Expected `array` of length >= 1"]),
        ("[[providers]]\nname = 'a'\nmodels = [1]", ["a.toml:3: `models[0]`: Expected `str`, got `int`"]),
        (
            "[[providers]]\nname = 'a'\nmodels = ['m']\ninput_msat_per_mtok = 1",
            ["a.toml:2: `input_msat_per_mtok` and `output_msat_per_mtok` go together"],
        ),
        (
            "[[providers]]\nname = 'a'\nmodels = ['m']\nprices.n = {}",
            ["a.toml:2: `prices` has n, which `models` hasn't"],
        ),
        (
            "[[providers]]\nname = 'a'\nmodels = ['m']\nscript = 'cut'\nscripts = ['cut']",
            ["a.toml:2: `script` is one script, `scripts` are several: only one of the two"],
        ),
        (
            "[[providers]]\nname = 'a'\nmodels = ['m']\n[[providers]]\nmodels = ['m']\nname = 'a'",
            ["a.toml:6: another provider is called a too"],
        ),
        (
            "[[providers]]\nname = 'a'\nmodels = ['m']\nper_token = -1",
            ["a.toml:4: `per_token`: Expected `float` >= 0.0"],
        ),
        ("connect_timeout = 0\nproviders = [{}]", ["a.toml:1: `connect_timeout`: Expected `float` > 0.0"]),
        (
            "[[providers]]\nname = 'a'\nmodels = ['m']\nscripts = ['cut', 'hed 200']",
            ["a.toml:4: `hed` is no step: did you mean `head`?"],
        ),
        (
            "providers = [{name='a', models=['m'], script='''\nwait\n'''}]",
            ["a.toml:2: a number has to follow: write `wait SECONDS`"],
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, mistakes: list[str]) -> None:
    assert mistakes == _mistakes(text)


def test_all_that_is_wrong_is_told_at_once() -> None:
    text = """\
        [[providers]]
        name = "a"
        models = ["m"]
        script = '''
        head 200
        # a comment counts as a line

        evnt {}
        wait x
        '''

        [[providers]]
        name = "b"
        modles = ["m"]
        models = ["m"]

        [[providers]]
        name = "c"
        models = ["m"]
        script = '''
        cut
        role
        '''
    """

    assert [
        "a.toml:8: `evnt` is no step: did you mean `event`?",
        "a.toml:9: `x` is not a number of seconds: write `wait SECONDS`",
        "a.toml:14: `modles` is no setting here: there is `models`",
        "a.toml:22: the script has come to its end before this step",
    ] == _mistakes(text)


def test_each_fault_that_users_meet_can_be_played() -> None:
    assert {
        "10mb-event",
        "200-error",
        "429",
        "429-retry-after",
        "500",
        "502-html",
        "blackhole",
        "caller-leaves",
        "cut-after-first-token",
        "cut-before-first-token",
        "cut-mid-chunk",
        "demo",
        "refused",
        "slow-loris",
        "split-every-byte",
        "tls",
    } == set(shipped())


@pytest.mark.parametrize("name", shipped())
def test_what_is_shipped_says_what_there_is_to_see_and_has_priced_offers(name: str) -> None:
    loaded = scenario(name)

    assert loaded.description.endswith(".")
    assert all(offer.price for offer in loaded.offers)


def test_the_demo_has_five_providers_and_each_model_at_several_prices() -> None:
    demo = scenario("demo")
    prices = {(offer.model, offer.price.output) for offer in demo.offers if offer.price}

    assert 5 == len(demo.providers)
    assert {"demo-small": 4, "demo-large": 4} == {
        name: sum(model == name for model, _ in prices) for name in ("demo-small", "demo-large")
    }


@pytest.mark.parametrize(
    ("name", "hint"), [("refuse", "Did you mean `refused`?"), ("../x", f"There are {', '.join(shipped())}.")]
)
def test_a_scenario_that_is_not_shipped_is_a_mistake_of_who_asked(name: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        scenario(name)

    assert hint == caught.value.hint
