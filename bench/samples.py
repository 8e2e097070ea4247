"""What one measurement found, as values that go to a JSON lines file and come back from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from bench.targets import Name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Calls", "Chunks", "Footprint", "Sample", "Soak", "Start", "Test", "decode", "encode"]

Test = Literal["busy", "paced", "chunks", "chunks10k", "memory", "start", "soak"]


class Sample(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """One test of one target in one round."""

    round: int
    target: Name
    tls: bool = False
    test: Test
    failed: int = 0
    complaint: str = ""
    """The first failure."""


class Calls(Sample, frozen=True, kw_only=True, tag="calls"):
    """Unstreamed calls."""

    count: int
    seconds: float
    cpu_us: float
    """CPU of the target's process tree per call."""
    core_share: float
    """How much of its core the target used; well below 1 in a closed loop, the load or another job was the limit."""
    p50_us: float
    p99_us: float


class Chunks(Sample, frozen=True, kw_only=True, tag="chunks"):
    """Chunks of streams that run at a set pace; latencies are ages on arrival."""

    count: int
    seconds: float
    cpu_us: float
    """CPU of the target's process tree per chunk, the opening and closing of its streams included."""
    core_share: float
    p50_us: float
    p99_us: float
    first_p50_us: float | None
    """From a call to its first content chunk, where streams began in time."""


class Footprint(Sample, frozen=True, kw_only=True, tag="footprint"):
    """A fresh process's memory after some load, and then with many open streams."""

    idle_rss_kib: int
    idle_pss_kib: int
    streams: int
    open_rss_kib: int
    open_pss_kib: int

    def per_stream_kib(self) -> float:
        """PSS that one more open stream adds; the kernel's socket buffers are not in it."""
        return (self.open_pss_kib - self.idle_pss_kib) / self.streams


class Start(Sample, frozen=True, kw_only=True, tag="start"):
    """How long one waits."""

    ready_s: float
    """From the start of the process until it says it is ready."""
    help_s: float | None
    """`satisfice --help`, from start to exit."""


class Soak(Sample, frozen=True, kw_only=True, tag="soak"):
    """Memory over many calls, every second part of them streamed."""

    count: int
    rss_kib: tuple[int, ...]
    """At the start and after each tenth of the calls."""

    def growth_kib(self) -> float:
        """From the end of the second tenth, when caches and pools are full, to the end."""
        return self.rss_kib[-1] - self.rss_kib[2]


def encode(sample: Sample) -> str:
    """One line, without its end."""
    return msgspec.json.encode(sample).decode()


def decode(lines: Iterable[str]) -> Iterator[Sample]:
    """The samples of a file; raises `msgspec.ValidationError` on any other line."""
    for line in lines:
        yield msgspec.json.decode(line, type=Calls | Chunks | Footprint | Soak | Start)
