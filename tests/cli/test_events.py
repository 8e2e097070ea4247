"""What events say, and what they never say."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from satisfice.attempt.outcome import Fault, Outcome
from satisfice.cli.events import Called, FailedAttempt, Stopped, called, flaw
from satisfice.config.load import load
from satisfice.config.problems import as_json
from satisfice.core.amounts import Msat, Usage
from satisfice.core.errors import UpstreamFailed
from satisfice.engine.attempt import Job
from satisfice.engine.driver import Seen
from satisfice.routing.conversation import NEW
from satisfice.routing.select import decide
from satisfice.wire.openai_chat import OpenAIChat
from tests.build import a_pool, a_request, an_offer, some_conditions


def a_job(prompt: str = "Hello") -> Job:
    request = a_request(prompt=prompt)
    decision = decide(request, a_pool([an_offer()]), thread=NEW, conditions=some_conditions())
    return Job("req_1", request, OpenAIChat(), decision, (), 100.0)


ANSWERED = Seen(
    offer=an_offer("acme"),
    usage=Usage(uncached=10, cache_read=2, text=3, reasoning=1),
    cost=Msat(7),
    charged=None,
    retries=1,
    is_complete=True,
    has_left=False,
    failures=(("other", Outcome(Fault.CAPACITY, "status 429", status=429, said="Too much.")),),
)


def test_a_call_is_told_with_its_cost_its_tokens_and_what_failed_before() -> None:
    assert Called(
        time_ms=1_764_000_000_000,
        request_id="req_1",
        model="small",
        outcome="answered",
        provider="acme",
        seconds=0.75,
        cost_msat=Msat(7),
        input_tokens=12,
        output_tokens=4,
        failures=(FailedAttempt("other", "status 429"),),
        code=None,
    ) == called(a_job(), ANSWERED, now=100.75, unix_ms=1_764_000_000_000)


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [
        (ANSWERED, "answered"),
        (msgspec.structs.replace(ANSWERED, is_complete=False), "cut"),
        (msgspec.structs.replace(ANSWERED, is_complete=False, has_left=True), "left"),
        (msgspec.structs.replace(ANSWERED, offer=None, is_complete=False), "refused"),
        (msgspec.structs.replace(ANSWERED, offer=None, is_complete=False, error=UpstreamFailed("No.")), "failed"),
    ],
)
def test_how_a_call_ended_is_one_word(seen: Seen, outcome: str) -> None:
    assert outcome == called(a_job(), seen, now=101.0, unix_ms=0).outcome


def test_an_error_is_told_by_its_code_since_its_message_may_quote_the_prompt() -> None:
    prompt = "my secret plan"
    said = Outcome(Fault.UPSTREAM, "status 500", status=500, said=f"can't answer {prompt}")
    error = UpstreamFailed(f"No offer answered. Tried acme: status 500 (can't answer {prompt}).")
    seen = msgspec.structs.replace(ANSWERED, offer=None, is_complete=False, error=error, failures=(("acme", said),))

    told = called(a_job(prompt), seen, now=101.0, unix_ms=0)

    assert ("upstream_failed", (FailedAttempt("acme", "status 500"),)) == (told.code, told.failures)
    assert prompt.encode() not in msgspec.json.encode(told)


def test_a_problem_of_the_file_is_told_as_check_prints_it() -> None:
    problems = load("[server]\nmastre_key = 'canary'", file="a.toml", env={}, base=Path()).problems

    assert [as_json(each) for each in problems] == [msgspec.to_builtins(flaw(each)) for each in problems]
    assert "canary" not in repr([flaw(each) for each in problems])


def test_as_json_an_event_begins_with_what_it_is() -> None:
    assert b'{"event":"stopped","time_ms":5,"cut_calls":0}' == msgspec.json.encode(Stopped(time_ms=5, cut_calls=0))
