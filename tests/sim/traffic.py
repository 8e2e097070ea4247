"""The calls of a simulation: when they come, how long they are, and how long their answers will be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from satisfice.core.amounts import Usage
from satisfice.core.clock import ManualClock
from tests.sim.chance import lognormal

__all__ = ["Ask", "body_of", "traffic"]


class _Sort(NamedTuple):
    """A kind of call: what an application asks for again and again."""

    weight: int
    model: str
    extra: str
    """Of its body, besides model and messages."""
    prompt: float
    """Median of its tokens."""
    answer: float
    limit: int | None


_TOOLS: Final = '"tools":[{"type":"function","function":{"name":"look","parameters":{"type":"object"}}}],'
_SCHEMA: Final = '"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"type":"object"}}},'
_SORTS: Final = (
    _Sort(40, "swift", "", 400, 250, None),
    _Sort(20, "swift", _TOOLS, 2_500, 60, None),
    _Sort(10, "swift", _SCHEMA, 1_200, 120, 512),
    _Sort(20, "sage", "", 1_500, 500, 2_048),
    _Sort(10, "sage", '"reasoning_effort":"high",', 3_000, 2_000, None),
)
_SPREAD: Final = 0.8
_BYTES_PER_TOKEN: Final = 4.3
_LONGEST_PROMPT: Final = 20_000
_FILLER: Final = "The quick brown fox jumps over the lazy dog, and nobody minds. " * 1_600


class Ask(msgspec.Struct, frozen=True, gc=False):
    """One call, before anybody has been asked."""

    number: int
    at: float
    """In seconds since the beginning."""
    model: str
    sort: int
    tokens_in: int
    tokens_out: int
    size: int
    """Bytes of its prompt."""

    @property
    def usage(self) -> Usage:
        """What whoever answers it will count."""
        return Usage(uncached=self.tokens_in, text=self.tokens_out)


def traffic(clock: ManualClock, calls: int, *, a_second: float) -> Sequence[Ask]:
    """So many calls, one as independent of the other as can be (a Poisson process)."""
    sorts = [number for number, sort in enumerate(_SORTS) for _ in range(sort.weight)]
    time = 0.0
    asks = []
    for number in range(calls):
        time -= math.log(1.0 - clock.chance()) / a_second
        kind = sorts[int(clock.chance() * len(sorts))]
        sort = _SORTS[kind]
        tokens_in = min(_LONGEST_PROMPT, max(20, int(lognormal(clock, sort.prompt, spread=_SPREAD))))
        tokens_out = max(1, int(lognormal(clock, sort.answer, spread=_SPREAD)))
        if sort.limit is not None:
            tokens_out = min(tokens_out, sort.limit)
        size = int(tokens_in * lognormal(clock, _BYTES_PER_TOKEN, spread=0.08))
        asks.append(Ask(number, time, sort.model, kind, tokens_in, tokens_out, size))
    return asks


def body_of(ask: Ask) -> bytes:
    """The body of its request; no two calls begin with the same message."""
    sort = _SORTS[ask.sort]
    limit = "" if sort.limit is None else f'"max_tokens":{sort.limit},'
    words = _FILLER[: ask.size]
    said = f'"messages":[{{"role":"user","content":"{ask.number}: {words}"}}]'
    return f'{{"model":"{sort.model}",{limit}{sort.extra}{said}}}'.encode()
