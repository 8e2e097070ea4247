"""Every event in words."""

from __future__ import annotations

import click
import msgspec
import pytest

from satisfice.cli.events import (
    Called,
    Event,
    FailedAttempt,
    Flaw,
    Logged,
    Looked,
    NotReloaded,
    Provider,
    Ready,
    Reloaded,
    Stopped,
    Stopping,
)
from satisfice.cli.wording import count, say, say_first
from satisfice.core.amounts import Msat

CALL = Called(
    time_ms=0,
    request_id="req_1",
    model="auto",
    outcome="answered",
    provider="steady",
    seconds=0.84,
    cost_msat=Msat(3_100),
    input_tokens=10,
    output_tokens=2,
    failures=(),
    code=None,
)
FAILED = (FailedAttempt("thrift", "status 429"), FailedAttempt("flicker", "cut before its end"))
LOOKED = Looked(time_ms=0, models=44, providers=2, silent=(), absent=())
PROVIDER = Provider(time_ms=0, provider="openai", where="OPENAI_API_KEY", models=41, is_free=False)


def plain(event: Event) -> str:
    return click.unstyle(say(event))


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (CALL, "✓ auto via steady, 0.8 s, 3.1 sat"),
        (
            msgspec.structs.replace(CALL, failures=FAILED),
            "✓ auto via steady, 0.8 s, 3.1 sat, after thrift (status 429), flicker (cut before its end)",
        ),
        (msgspec.structs.replace(CALL, cost_msat=Msat(0), seconds=0.0123), "✓ auto via steady, 12 ms, free"),
        (msgspec.structs.replace(CALL, cost_msat=None), "✓ auto via steady, 0.8 s, cost not known"),
        (
            msgspec.structs.replace(CALL, outcome="failed", provider=None, failures=FAILED[:1]),
            "✗ auto: nobody answered, 0.8 s, after thrift (status 429)",
        ),
        (msgspec.structs.replace(CALL, outcome="cut"), "✗ auto via steady, cut off, 0.8 s"),
        (msgspec.structs.replace(CALL, outcome="left"), "\N{EN DASH} auto: the caller left, 0.8 s"),
        (
            msgspec.structs.replace(CALL, outcome="refused", provider=None),
            "\N{EN DASH} auto: a provider refused the request itself, 0.8 s",
        ),
    ],
)
def test_a_call_is_told_as_a_line(event: Called, said: str) -> None:
    assert said == plain(event)


def test_the_first_answer_is_the_proof_that_all_works() -> None:
    assert "✓ first call: auto via steady, 0.8 s, 3.1 sat" == click.unstyle(say_first(CALL))


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (PROVIDER, "✓ OPENAI_API_KEY       openai       41 models"),
        (
            msgspec.structs.replace(PROVIDER, where="localhost:11434", provider="ollama", models=1, is_free=True),
            "✓ localhost:11434      ollama       1 model, free",
        ),
        (
            msgspec.structs.replace(PROVIDER, where="", failure="connection refused"),
            "! openai       connection refused",
        ),
    ],
)
def test_a_provider_is_told_with_what_it_has_or_why_not(event: Provider, said: str) -> None:
    assert said == plain(event)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (LOOKED, "44 models from 2 providers, cheapest first"),
        (
            msgspec.structs.replace(LOOKED, silent=("groq",)),
            "44 models from 2 providers, cheapest first\n  ! no answer yet from groq",
        ),
        (msgspec.structs.replace(LOOKED, models=0), "! no models yet: no provider has answered with any"),
        (
            msgspec.structs.replace(LOOKED, absent=("XAI_API_KEY", "localhost:8000")),
            "\N{EN DASH} not here: XAI_API_KEY, localhost:8000\n\n  44 models from 2 providers, cheapest first",
        ),
    ],
)
def test_what_was_found_is_summed_up(event: Looked, said: str) -> None:
    assert said == plain(event)


def test_a_long_list_of_what_is_not_here_is_wrapped() -> None:
    names = tuple(f"PROVIDER_{number}_API_KEY" for number in range(20))

    lines = plain(msgspec.structs.replace(LOOKED, absent=names)).splitlines()

    assert max(map(len, lines)) <= 100
    assert "PROVIDER_19_API_KEY" in "".join(lines)


READY = Ready(time_ms=0, url="http://127.0.0.1:8402", version="1.2.3", config="satisfice.toml", needs_token=False)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (READY, "satisfice 1.2.3 · satisfice.toml\n\n  API  http://127.0.0.1:8402/v1  for any OpenAI client; the key"),
        (msgspec.structs.replace(READY, config=None), "no config file, using what is here"),
        (msgspec.structs.replace(READY, needs_token=True), "send the access token as the key"),
        (msgspec.structs.replace(READY, config=None, is_demo=True), "demo: scripted providers, no keys, no money"),
    ],
)
def test_when_it_is_ready_it_says_where_and_for_whom(event: Ready, words: str) -> None:
    assert words in plain(event)


FLAW = Flaw(
    file="a.toml",
    line=14,
    column=1,
    length=12,
    severity="error",
    code="unknown-key",
    message="`mastre_token` is not a setting of [server]",
    hint="did you mean `access_token`?",
    source_line='mastre_token = "…"',
)
MISSING = msgspec.structs.replace(
    FLAW, line=0, code="unreadable", message="the file can't be read: no such file", hint="name another"
)
RELOADED = Reloaded(time_ms=0, config="a.toml", open_calls=0, needs_restart=(), problems=())


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (RELOADED, "✓ new calls go by a.toml as it is now"),
        (
            msgspec.structs.replace(RELOADED, open_calls=2, needs_restart=("host", "port"), problems=(FLAW,)),
            (
                "✓ new calls go by a.toml as it is now; 2 open calls as before\n"
                "  ! only a restart can change host, port\n"
                "    a.toml:14:1: error[unknown-key]: `mastre_token` is not a setting of [server]: "
                "did you mean `access_token`?"
            ),
        ),
        (
            NotReloaded(time_ms=0, config="a.toml", reason="1 error", problems=(MISSING,)),
            (
                "✗ a.toml can't be used: 1 error; all stays as it was\n"
                "    a.toml: error[unreadable]: the file can't be read: no such file: name another"
            ),
        ),
        (
            NotReloaded(time_ms=0, config=None, reason="there is no configuration file", problems=()),
            "✗ nothing to read again: there is no configuration file; all stays as it was",
        ),
    ],
)
def test_what_became_of_a_changed_file_is_told_with_all_that_is_wrong_in_it(event: Event, said: str) -> None:
    assert said == plain(event)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (Stopping(time_ms=0, open_calls=0, seconds=30.0), "stopping"),
        (
            Stopping(time_ms=0, open_calls=1, seconds=30.0),
            "stopping; 1 open call may go on for 30 s (Ctrl-C cuts them off)",
        ),
        (Stopped(time_ms=0, cut_calls=0), "stopped"),
        (Stopped(time_ms=0, cut_calls=2), "stopped; 2 calls cut off"),
        (Logged(time_ms=0, level="info", message="It works"), "✓ It works"),
        (Logged(time_ms=0, level="warning", message="It is odd"), "! It is odd"),
        (Logged(time_ms=0, level="error", message="It broke"), "! It broke"),
        (Logged(time_ms=0, level="error", message="It broke", traceback="line 1"), "! It broke\nline 1"),
    ],
)
def test_other_events_are_told_as_they_are(event: Event, said: str) -> None:
    assert said == plain(event)


@pytest.mark.parametrize(("number", "words"), [(0, "0 calls"), (1, "1 call"), (2_000, "2,000 calls")])
def test_one_thing_is_singular(number: int, words: str) -> None:
    assert words == count(number, "call")
