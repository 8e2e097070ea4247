"""What the steps of the hot path may cost, in microseconds, on a machine where the yardstick takes as long as on ours.

The yardstick is a fixed piece of plain Python that is timed beside each step, so a slow or busy machine makes both
slow. The budgets are those of docs/design.md; each test allows several times as much, because it is there to catch a
step that has become another kind of work (a copy of the body, a task per call), not one that lost a tenth.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING

import msgspec
import pytest

from satisfice.attempt.machine import Answered, Call, Commit, Ended, Finish, Open
from satisfice.attempt.pacing import Backoff, Pacing, RetryBudget
from satisfice.catalog.lessons import Lessons
from satisfice.catalog.model import AUTO, ModelId
from satisfice.catalog.offers import Catalog, Offer, Price
from satisfice.core.amounts import Rate
from satisfice.core.clock import ManualClock
from satisfice.engine.gateway import Gateway, Supply
from satisfice.engine.memory import Memory
from satisfice.ports import Endpoint
from satisfice.routing.conversation import NEW
from satisfice.routing.policy import NONE, Asking, Policies
from satisfice.routing.pool import Pools
from satisfice.routing.select import decide
from satisfice.wire.observer import StreamObserver
from satisfice.wire.openai_chat import OpenAIChat
from tests.build import some_conditions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from satisfice.ports import Headers, Sending, Sink

_SLACK = 3.0
_YARDSTICK_US = 7.5
"""What the yardstick took where the budgets were set."""
_ROUNDS = 30
_CALLS = 200

_DIALECT = OpenAIChat()
_ASKING = Asking()
_TURN: Mapping[str, str] = {
    "role": "user",
    "content": "The quick brown fox jumps over the lazy dog, and nobody minds at all. " * 4,
}
_BODY = msgspec.json.encode({"model": "model-7", "messages": [_TURN] * 22, "temperature": 0.7, "max_tokens": 256})
_ANSWER = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1760000000,"model":"model-7","choices":[{"index":0,'
    b'"message":{"role":"assistant","content":"Yes."},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":1500,"completion_tokens":2,"total_tokens":1502}}'
)
_CHUNK = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1760000000,"model":"model-7",'
    b'"system_fingerprint":"fp_0","choices":[{"index":0,"delta":{"content":" fox"},"logprobs":null,'
    b'"finish_reason":null}],"usage":null}\n\n'
)
_PROVIDERS = tuple(f"provider-{number}" for number in range(10))
_PRICE = Price(input=Rate(100), output=Rate(400))


def test_a_request_of_7_kb_is_parsed_in_8_microseconds() -> None:
    assert 6_500 < len(_BODY) < 7_500
    _keeps(8.0, lambda: _DIALECT.parse(_BODY))


def test_the_model_is_renamed_and_the_request_encoded_in_10_microseconds() -> None:
    request = _DIALECT.parse(_BODY)

    _keeps(10.0, lambda: _DIALECT.prepare(request, "another-name"))


def test_ten_of_500_offers_are_ranked_in_20_microseconds() -> None:
    pools = Pools(Catalog(_offer(provider, model) for provider in range(10) for model in range(50)), Lessons())
    request, conditions = _DIALECT.parse(_BODY), some_conditions()

    def choose() -> int:
        pool = pools.find(request.model, NONE, needs=request.needs)
        return len(decide(request, pool, thread=NEW, conditions=conditions).candidates)

    assert 10 == choose()
    _keeps(20.0, choose)


def test_500_candidates_are_ranked_in_150_microseconds() -> None:
    pools = Pools(Catalog(_offer(provider, model) for provider in range(10) for model in range(50)), Lessons())
    request, conditions = _DIALECT.parse(_BODY), some_conditions()

    def choose() -> int:
        pool = pools.find(AUTO, NONE, needs=request.needs)
        assert 500 == len(pool.offers)
        return len(decide(request, pool, thread=NEW, conditions=conditions).candidates)

    assert 20 == choose()
    _keeps(150.0, choose)


def test_the_machine_needs_5_microseconds_for_a_call_that_goes_well() -> None:
    pacing = _pacing()

    def call() -> None:
        machine = Call(3, pacing, expires_at=600.0)
        assert (Open(0, 0),) == machine.start(0.0)
        assert (Commit(0),) == machine.tell(Answered(0), 0.1)
        assert (Finish(0, is_complete=True),) == machine.tell(Ended(0), 0.2)

    _keeps(5.0, call)


def test_a_call_that_goes_well_takes_45_microseconds_between_the_two_sockets() -> None:
    """All that isn't server or transport: 20 to read and to decide, 13 for machine and driver, 12 to learn from it."""
    caller = _Caller()
    clock = ManualClock()
    endpoints = {name: Endpoint(provider=name, url="http://localhost/v1") for name in _PROVIDERS}
    gateway = Gateway(
        Supply([_offer(provider, 7) for provider in range(3)], endpoints),
        Policies(),
        pacing=_pacing(),
        transport=_AnswersAtOnce(),
        clock=clock,
        memory=Memory(clock),
    )

    async def start() -> None:
        gateway.start()

    async def call() -> None:
        for _ in range(_CALLS):
            await gateway.answer(_DIALECT, _BODY, asking=_ASKING, headers=(), downstream=caller)
        assert _ANSWER == caller.received

    with asyncio.Runner() as runner:
        runner.run(start())
        _keeps(45.0, lambda: runner.run(call()), calls=_CALLS)
        runner.run(gateway.stop())


def test_a_chunk_is_watched_in_1_microsecond() -> None:
    request = _DIALECT.parse(_BODY)
    observer = StreamObserver(_DIALECT, request, cost=_PRICE.cost)
    assert _CHUNK == observer.feed(_CHUNK)

    _keeps(1.0, lambda: observer.feed(_CHUNK))


def _keeps(budget_us: float, step: Callable[[], object], *, calls: int = 1) -> None:
    """Step and yardstick are timed in turn, and the best of each counts; the step makes so many calls at once."""
    tracer = sys.gettrace()
    sys.settrace(None)  # coverage would be timed, too
    try:
        times = [(_time_us(_yardstick), _time_us(step)) for _ in range(_ROUNDS)]
    finally:
        sys.settrace(tracer)
    yardstick = min(yard for yard, _ in times)
    cost = min(step_us for _, step_us in times) / calls
    allowed = budget_us * _SLACK * yardstick / _YARDSTICK_US
    if cost > allowed:
        pytest.fail(f"{cost:.1f} µs; the budget of {budget_us} µs allows {allowed:.1f} µs here", pytrace=False)


def _yardstick() -> list[int]:
    counts: dict[str, int] = {}
    for n in range(100):
        key = "abcdefghij"[n % 10]
        counts[key] = counts.get(key, 0) + n
    return sorted(counts.values())


def _time_us(step: Callable[[], object]) -> float:
    """The mean of as many runs as fill a millisecond."""
    since = time.perf_counter()
    runs = 0
    while time.perf_counter() - since < 0.001:
        step()
        runs += 1
    return (time.perf_counter() - since) / runs * 1e6


def _offer(provider: int, model: int) -> Offer:
    name = f"model-{model}"
    return Offer(provider=_PROVIDERS[provider], model=ModelId(name), upstream_model=name, price=_PRICE)


def _pacing() -> Pacing:
    return Pacing(Backoff(0.1, 1.0, chance=lambda: 0.5), RetryBudget(0.2, 1.0), max_attempts=3)


class _Answer:
    """An upstream's answer that is here already."""

    status = 200
    headers: Headers = ((b"content-type", b"application/json"),)

    async def read(self, limit: int) -> bytes:
        return _ANSWER

    async def chunk(self) -> bytes:
        return b""

    async def pump(self, sink: Sink) -> bool:
        return False

    def flow(self, *, is_endless: bool = False) -> None:
        pass

    def close(self) -> None:
        pass

    def abort(self) -> None:
        pass


class _AnswersAtOnce:
    """A transport that costs nothing."""

    async def open(self, endpoint: Endpoint, sending: Sending) -> _Answer:
        return _Answer()

    async def aclose(self) -> None:
        pass


class _Caller:
    """Takes everything at once."""

    received = b""

    def start(self, status: int, headers: Headers) -> None:
        pass

    def write(self, data: bytes) -> bool:
        return True

    def end(self, data: bytes = b"") -> None:
        self.received = data

    async def drain(self) -> None:
        pass

    async def left(self) -> None:
        pass
