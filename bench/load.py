"""What every load has in common: the bytes of a call, a connection, and the window of time that counts."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["OK", "Tally", "Window", "call_bytes", "connect", "no_cpu", "percentile"]

_P = TypeVar("_P", bound=asyncio.Protocol)

OK = b"HTTP/1.1 200 "

_BODY_BYTES = 1000


@dataclass(frozen=True)
class Tally:
    """What a load saw while its window was open."""

    count: int
    failed: int
    seconds: float
    cpu_seconds: float
    """CPU time that the target spent meanwhile."""
    latencies_us: list[float]
    first_us: list[float]
    """Of streams: from the call to the first content chunk."""
    complaint: str
    """How the first failure looked."""


class Window:
    """Counts only between `open` and `close` of a stretch of time, and reads the target's CPU clock at both."""

    def __init__(self, cpu: Callable[[], float]) -> None:
        self._cpu = cpu
        self.is_open = False
        self.count = 0
        self.latencies_us: list[float] = []
        self.first_us: list[float] = []
        self._seconds = self._cpu_seconds = 0.0
        self._failed = 0
        self._complaint = ""

    async def stay_open(self, seconds: float) -> None:
        """Opens, waits, closes."""
        spent, since = self._cpu(), time.perf_counter()
        self.is_open = True
        await asyncio.sleep(seconds)
        self.is_open = False
        self._cpu_seconds, self._seconds = self._cpu() - spent, time.perf_counter() - since

    def fail(self, complaint: str) -> None:
        """A call went wrong: counted whether the window is open or not."""
        self._failed += 1
        self._complaint = self._complaint or complaint

    def tally(self) -> Tally:
        """What was seen, after `stay_open`."""
        return Tally(
            self.count,
            self._failed,
            self._seconds,
            self._cpu_seconds,
            self.latencies_us,
            self.first_us,
            self._complaint,
        )


async def connect(port: int, protocol: Callable[[], _P]) -> _P:
    """A new connection to this machine, with this protocol on it."""
    loop = asyncio.get_running_loop()
    _, connected = await loop.create_connection(protocol, "127.0.0.1", port)
    return connected


def call_bytes(model: str, *, stream: bool = False) -> bytes:
    """A chat completion call of about 1 KB, with the head that an SDK would send."""
    question: dict[str, object] = {
        "model": model,
        "messages": [
            {"role": "system", "content": "Answer in one sentence."},
            {"role": "user", "content": "?" * _BODY_BYTES},
        ],
        "temperature": 0.7,
        "max_tokens": 256,
    }
    if stream:
        question |= {"stream": True, "stream_options": {"include_usage": True}}
    encoded = msgspec.json.encode(question)
    body = encoded.replace(b"?" * (len(encoded) - _BODY_BYTES), b"", 1)
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\n"
        "Host: localhost\r\n"
        "Accept: application/json\r\n"
        "Accept-Encoding: identity\r\n"
        "Content-Type: application/json\r\n"
        "User-Agent: OpenAI/Python 2.8.0\r\n"
        "X-Stainless-Lang: python\r\n"
        "Authorization: Bearer sk-bench\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def no_cpu() -> float:
    """The CPU clock of a target whose CPU nobody asks for."""
    return 0.0


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least this share of all, above 0 and up to 1, don't exceed."""
    ranked = sorted(values)
    return ranked[math.ceil(len(ranked) * share) - 1]
