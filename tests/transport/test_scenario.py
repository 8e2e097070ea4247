"""Scenarios are read from TOML, all that is wrong in them is told at once, and those that are shipped are sound."""

from __future__ import annotations

import re
from textwrap import dedent
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import pytest
from openai.types.chat import ChatCompletion

from satisfice.catalog.model import ModelId
from satisfice.catalog.offers import Offer, Price
from satisfice.core.amounts import Msat, Rate
from satisfice.core.clock import ManualClock
from satisfice.core.errors import Break, Broken, ConfigError
from satisfice.ports import Endpoint, Sending, Timeouts
from satisfice.transport import scenario as scenario_module
from satisfice.transport.demo_answer import Pace
from satisfice.transport.scenario import Scenario, ScriptedProvider, load_scenario, scenario, shipped
from satisfice.transport.script import Script
from satisfice.transport.scripted import Ending, ScriptedTransport, instant

if TYPE_CHECKING:
    from pathlib import Path


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


def test_the_example_in_the_documentation_is_a_scenario() -> None:
    _, _, example = (scenario_module.__doc__ or "").partition("\n\n")

    assert ["flaky", "steady"] == [provider.name for provider in _load(example).providers]


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
    ("name", "hint"),
    [
        ("refuse", "Did you mean `refused`?"),
        ("nothing-like-it", f"There are {', '.join(shipped())}; or name a file ending in .toml."),
    ],
)
def test_a_scenario_that_is_not_shipped_is_a_mistake_of_who_asked(name: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        scenario(name)

    assert hint == caught.value.hint


def test_a_scenario_can_be_a_file_of_the_users(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("providers = [{name = 'a', models = ['m'], script = 'refuse'}]")

    assert (Script().refuse(),) == scenario(str(file)).providers[0].scripts


@pytest.mark.parametrize("content", [b"providers = [{name = 'a', models = ['m'], script = 'refus'}]", b"\xff", None])
def test_a_file_that_is_no_scenario_is_a_mistake_of_who_asked(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(ConfigError, match=re.escape(str(file))):
        scenario(str(file))


_ASKED = {"model": "demo-small", "messages": [{"role": "user", "content": "Hello"}]}
_WHOLE = Sending("/chat/completions", msgspec.json.encode(_ASKED))
_STREAM = Sending("/chat/completions", msgspec.json.encode({**_ASKED, "stream": True}))


class _Seen(NamedTuple):
    """One attempt at a shipped scenario, played to its end."""

    status: int | None
    kind: Break | None
    pieces: tuple[bytes, ...]

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def is_complete(self) -> bool:
        """The answer to the whole request, or to the streamed one."""
        if self.kind or self.status != 200:
            return False
        if self.body.startswith(b"{"):
            return bool(ChatCompletion.model_validate_json(self.body).choices)
        return self.body.endswith(b"data: [DONE]\n\n")


async def _played(play: Scenario, provider: int, sending: Sending) -> list[_Seen]:
    """Every script of a provider, one after the other."""
    clock = ManualClock()
    transport = ScriptedTransport(play, clock, sleep=instant(clock))
    count = len(play.providers[provider].scripts)
    seen = [await _attempt(transport, play.endpoints[provider], sending) for _ in range(count)]

    assert Ending.OPEN not in [answer.ending for answer in transport.answers]
    return seen


async def _attempt(transport: ScriptedTransport, endpoint: Endpoint, sending: Sending) -> _Seen:
    status: int | None = None
    pieces: list[bytes] = []
    try:
        answer = await transport.open(endpoint, sending)
        status = answer.status
        while piece := await answer.chunk():
            pieces.append(piece)
    except Broken as broken:
        return _Seen(status, broken.kind, tuple(pieces))
    return _Seen(status, None, tuple(pieces))


_TROUBLE = {
    "200-error": (200, None),
    "429": (429, None),
    "500": (500, None),
    "502-html": (502, None),
    "blackhole": (None, Break.CONNECT_TIMEOUT),
    "cut-after-first-token": (200, Break.CUT),
    "cut-before-first-token": (200, Break.CUT),
    "cut-mid-chunk": (200, Break.CUT),
    "refused": (None, Break.REFUSED),
    "slow-loris": (200, Break.FIRST_BYTE_TIMEOUT),
    "tls": (None, Break.TLS),
}


@pytest.mark.parametrize("sending", [_WHOLE, _STREAM], ids=["whole", "stream"])
@pytest.mark.parametrize("name", _TROUBLE)
async def test_where_the_cheapest_provider_is_troubled_the_next_one_answers(name: str, sending: Sending) -> None:
    play = scenario(name)
    (first,) = await _played(play, 0, sending)
    (second,) = await _played(play, 1, sending)
    cheap, dear = (offer.price for offer in play.offers)

    assert _TROUBLE[name] == (first.status, first.kind)
    assert second.is_complete
    assert cheap
    assert dear
    assert cheap.input < dear.input
    assert cheap.output < dear.output


@pytest.mark.parametrize("name", sorted(set(shipped()) - set(_TROUBLE) - {"demo"}))
@pytest.mark.parametrize("sending", [_WHOLE, _STREAM], ids=["whole", "stream"])
async def test_the_others_have_one_provider_that_answers_in_the_end(name: str, sending: Sending) -> None:
    play = scenario(name)
    *_, last = await _played(play, 0, sending)

    assert 1 == len(play.providers)
    assert last.is_complete


async def test_the_shipped_streams_are_cut_where_their_names_say() -> None:
    async def stream(name: str) -> bytes:
        (seen,) = await _played(scenario(name), 0, _STREAM)
        return seen.body

    before = await stream("cut-before-first-token")
    after = await stream("cut-after-first-token")
    within = await stream("cut-mid-chunk")

    assert [1, 2] == [body.count(b"\n\n") for body in (before, after)]
    assert b'"content":""' in before
    assert b'"content":"This"' in after
    assert within.startswith(b"data: ")
    assert not within.endswith(b"\n\n")


async def test_an_event_split_at_every_byte_comes_byte_by_byte() -> None:
    (seen,) = await _played(scenario("split-every-byte"), 0, _STREAM)

    assert {1} == {len(piece) for piece in seen.pieces}


async def test_an_event_of_10_mb_has_10_mb() -> None:
    (seen,) = await _played(scenario("10mb-event"), 0, _STREAM)

    assert 10_000_000 == max(len(event) + 2 for event in seen.body.split(b"\n\n"))


async def test_a_limit_with_retry_after_is_over_after_it() -> None:
    busy, free = await _played(scenario("429-retry-after"), 0, _STREAM)

    assert (429, 200) == (busy.status, free.status)


async def test_in_the_demo_each_provider_answers_sooner_or_later_and_two_are_always_sound() -> None:
    demo = scenario("demo")
    attempts = {
        provider.name: [seen.is_complete for seen in await _played(demo, number, _STREAM)]
        for number, provider in enumerate(demo.providers)
    }

    assert all(any(complete) for complete in attempts.values())
    assert {"thrift", "flicker"} == {name for name, complete in attempts.items() if not all(complete)}
