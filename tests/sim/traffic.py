"""The calls of a simulation: when they come, how long they are, and how long their answers will be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from satisfice.core.clock import ManualClock
from tests.sim.chance import lognormal

__all__ = ["Ask", "body_of", "traffic"]


class Ask(msgspec.Struct, frozen=True, gc=False):
    """One call, before anybody has been asked."""

    number: int
    at: float
    """In seconds since the beginning."""
    sort: int
    model: str
    tokens_in: int
    """What whoever answers it will count."""
    tokens_out: int
    size: int
    """Bytes of its prompt."""


class _Sort(NamedTuple):
    """What an application asks for again and again."""

    share: int
    """Of a hundred calls."""
    model: str
    extra: str
    """Of its body, besides model and messages."""
    prompt: int
    """Its tokens, those of an answer: medians."""
    answer: int
    limit: int = 6_000
    """What its answers are cut off at."""


_TOOLS: Final = '"tools":[{"type":"function","function":{"name":"look","parameters":{"type":"object"}}}],'
_SCHEMA: Final = '"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"type":"object"}}},'
_SORTS: Final = (
    _Sort(30, "swift", "", 200, 250),
    _Sort(20, "coder", _TOOLS, 900, 60),
    _Sort(10, "coder", "", 600, 400),
    _Sort(10, "scout", _SCHEMA + '"max_tokens":512,', 400, 120, 512),
    _Sort(10, "muse", '"max_tokens":1024,', 250, 600, 1_024),
    _Sort(10, "sage", "", 500, 500),
    _Sort(10, "sage", '"reasoning_effort":"high",', 900, 1_500),
)
_SPREAD: Final = 0.8
_BYTES_PER_TOKEN: Final = 4.3
_LONGEST_PROMPT: Final = 16_000
_WORDS: Final = "The quick brown fox jumps over the lazy dog, and nobody minds. " * 1_300


def traffic(clock: ManualClock, calls: int, *, a_second: float) -> Sequence[Ask]:
    """So many calls, each as independent of the others as can be (a Poisson process)."""
    sorts = [number for number, sort in enumerate(_SORTS) for _ in range(sort.share)]
    time = 0.0
    asks = []
    for number in range(calls):
        time -= math.log(1.0 - clock.chance()) / a_second
        asks.append(_ask(number, time, sort=sorts[int(clock.chance() * len(sorts))], clock=clock))
    return asks


def _ask(number: int, time: float, *, sort: int, clock: ManualClock) -> Ask:
    _, model, _, prompt, answer, limit = _SORTS[sort]
    tokens_in = min(_LONGEST_PROMPT, round(lognormal(clock, prompt, spread=_SPREAD)))
    tokens_out = min(limit, round(lognormal(clock, answer, spread=_SPREAD)))
    size = round(tokens_in * lognormal(clock, _BYTES_PER_TOKEN, spread=0.08))
    return Ask(number, time, sort, model, tokens_in, tokens_out, size)


def body_of(ask: Ask) -> bytes:
    """The body of its request; no two calls begin with the same message."""
    sort = _SORTS[ask.sort]
    said = f'"messages":[{{"role":"user","content":"{ask.number}: {_WORDS[: ask.size]}"}}]'
    return f'{{"model":"{sort.model}",{sort.extra}{said}}}'.encode()
