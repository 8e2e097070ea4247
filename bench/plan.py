"""What a run is to measure, how long, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.samples import Test
    from bench.targets import Name

__all__ = ["Plan"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One run; the defaults are what `make bench` takes."""

    subject: Name = "satisfice"
    tests: tuple[Test, ...] = ("busy", "paced", "chunks", "chunks10k", "memory", "start")
    tls: bool = False
    rounds: int = 5
    seconds: float = 2.5
    """How long each load is measured."""
    connections: int = 64
    rate: float = 200.0
    streams: int = 2000
    """Open at once when memory is measured."""
    soak_calls: int = 200_000
    offers: int = 500
    """In the gateway's catalog, ten for each model; 0: one provider for each model."""
    realtime: bool = False
    load_core: int = 0
    target_core: int = 1
