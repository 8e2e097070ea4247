"""Runs the tests in rounds: in each, a test goes over all targets in turn, so that they share the machine's moods."""

from __future__ import annotations

import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import uvloop

from bench.calls import closed_loop, open_loop
from bench.load import Tally, call_bytes, percentile
from bench.process import Memory, cpu_seconds, memory, pinned, realtime
from bench.samples import Calls, Chunks, Footprint, Sample, Soak, Start
from bench.streams import hold, relay
from bench.targets import Name, Site, Target, TargetError, site, target

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Mapping

    from bench.plan import Plan
    from bench.samples import Test

__all__ = ["run"]

_T = TypeVar("_T")

_WARM_S = 1.0
_WARM_CONNECTIONS = 16
_RAMP_S = 3.0
_HELP_RUNS = 5
_SOAK_PARTS = 10

_CALL = call_bytes("mock")
_BURST = call_bytes("mock-n10", stream=True)
_HELD = call_bytes("mock-n9-d1000", stream=True)


_PACES: Mapping[Test, tuple[int, str]] = {"chunks": (50, "mock-n100-d20"), "chunks10k": (100, "mock-n100-d10")}
"""Streams, each of so many chunks a second: 2,500 and 10,000 chunks a second in all."""
_LATENCIES = ("paced", "chunks")
"""What is compared with the direct way, too."""
_LOADS = ("busy", "paced", "chunks", "chunks10k")


def run(plan: Plan) -> Iterator[Sample]:
    """Every sample, as soon as it is there."""
    with (
        tempfile.TemporaryDirectory(prefix="satisfice-bench-") as folder,
        site(Path(folder), load_core=plan.load_core, target_core=plan.target_core, offers=plan.offers) as place,
        pinned(plan.load_core),
    ):
        for number in range(plan.rounds):
            yield from _Round(plan, place, number).samples()
        if "soak" in plan.tests:
            yield _Round(plan, place, 0).soak()


class _Round(NamedTuple):
    plan: Plan
    place: Site
    number: int

    def samples(self) -> Iterator[Sample]:
        yield from self._loads()
        if "memory" in self.plan.tests:
            for name, tls in self._entrants():
                yield self._footprint(name, tls=tls)
        if "start" in self.plan.tests:
            for name, tls in self._entrants():
                if not tls:
                    yield self._start(name)

    def soak(self) -> Soak:
        tallies: list[Tally] = []
        with target(self.plan.subject, self.place) as each:
            _warm_up(each)
            sizes = [memory(each.pid).rss_kib]
            for part in range(1, _SOAK_PARTS + 1):
                while sum(tally.count for tally in tallies) * _SOAK_PARTS < self.plan.soak_calls * part:
                    tallies += [_busy_second(each, call, connections=self.plan.connections) for call in (_CALL, _BURST)]
                sizes.append(memory(each.pid).rss_kib)
        return Soak(
            round=self.number,
            target=each.name,
            test="soak",
            failed=sum(tally.failed for tally in tallies),
            complaint=next((tally.complaint for tally in tallies if tally.failed), ""),
            count=sum(tally.count for tally in tallies),
            rss_kib=tuple(sizes),
        )

    def _entrants(self) -> Iterator[tuple[Name, bool]]:
        """Names, and whether over TLS; whoever comes first in one round comes last in the next."""
        names: list[Name] = ["nginx", self.plan.subject]
        if self.number % 2:
            names.reverse()
        for tls in (False, True)[: 1 + self.plan.tls]:
            for name in names:
                yield name, tls

    def _loads(self) -> Iterator[Sample]:
        wanted = [test for test in self.plan.tests if test in _LOADS]
        if not wanted:
            return
        with ExitStack() as running:
            direct = running.enter_context(target("direct", self.place))
            lineup = [running.enter_context(target(name, self.place, tls=tls)) for name, tls in self._entrants()]
            for each in lineup:
                _warm_up(each)
            for test in wanted:
                for each in (direct, *lineup) if test in _LATENCIES else lineup:
                    yield self._load(test, each)

    def _load(self, test: Test, each: Target) -> Sample:
        if test == "busy":
            return self._busy(each)
        with self._ahead(each):
            return self._paced(each) if test == "paced" else self._chunks(test, each)

    def _ahead(self, each: Target) -> AbstractContextManager[None]:
        """In the tests of latency, which leave the cores idle most of the time, other jobs may be made to wait."""
        if not self.plan.realtime:
            return nullcontext()
        return realtime({each.pid, self.place.upstream_pid, os.getpid()})

    def _busy(self, each: Target) -> Calls:
        load = closed_loop(
            each.port,
            _CALL,
            connections=self.plan.connections,
            seconds=self.plan.seconds,
            warm=_WARM_S,
            cpu=partial(cpu_seconds, each.pid),
        )
        return self._calls("busy", each, tally=_answered(each, _run(load)))

    def _paced(self, each: Target) -> Calls:
        load = open_loop(
            each.port,
            _CALL,
            rate=self.plan.rate,
            seconds=self.plan.seconds,
            warm=_WARM_S,
            cpu=partial(cpu_seconds, each.pid),
        )
        return self._calls("paced", each, tally=_answered(each, _run(load)))

    def _calls(self, test: Test, each: Target, *, tally: Tally) -> Calls:
        return Calls(
            round=self.number,
            target=each.name,
            tls=each.tls,
            test=test,
            failed=tally.failed,
            complaint=tally.complaint,
            count=tally.count,
            seconds=tally.seconds,
            cpu_us=tally.cpu_seconds / tally.count * 1e6,
            core_share=tally.cpu_seconds / tally.seconds,
            p50_us=percentile(tally.latencies_us, 0.5),
            p99_us=percentile(tally.latencies_us, 0.99),
        )

    def _chunks(self, test: Test, each: Target) -> Chunks:
        streams, model = _PACES[test]
        load = relay(
            each.port,
            call_bytes(model, stream=True),
            streams=streams,
            seconds=self.plan.seconds,
            warm=_WARM_S,
            cpu=partial(cpu_seconds, each.pid),
        )
        tally = _answered(each, _run(load))
        return Chunks(
            round=self.number,
            target=each.name,
            tls=each.tls,
            test=test,
            failed=tally.failed,
            complaint=tally.complaint,
            count=tally.count,
            seconds=tally.seconds,
            cpu_us=tally.cpu_seconds / tally.count * 1e6,
            core_share=tally.cpu_seconds / tally.seconds,
            p50_us=percentile(tally.latencies_us, 0.5),
            p99_us=percentile(tally.latencies_us, 0.99),
            first_p50_us=percentile(tally.first_us, 0.5) if tally.first_us else None,
        )

    def _footprint(self, name: Name, *, tls: bool) -> Footprint:
        with target(name, self.place, tls=tls) as each:
            _warm_up(each)
            idle = memory(each.pid)
            sizes: list[Memory] = []
            load = hold(
                each.port,
                _HELD,
                streams=self.plan.streams,
                ramp=_RAMP_S,
                measure=lambda: sizes.append(memory(each.pid)),
            )
            held = _run(load)
        return Footprint(
            round=self.number,
            target=each.name,
            tls=each.tls,
            test="memory",
            failed=held.failed,
            complaint=held.complaint,
            idle_rss_kib=idle.rss_kib,
            idle_pss_kib=idle.pss_kib,
            streams=held.streams,
            open_rss_kib=sizes[0].rss_kib,
            open_pss_kib=sizes[0].pss_kib,
        )

    def _start(self, name: Name) -> Start:
        with target(name, self.place) as each:
            ready_s = each.ready_s
        help_s = _help_s(self.place.core) if name == "satisfice" else None
        return Start(round=self.number, target=name, test="start", ready_s=ready_s, help_s=help_s)


def _help_s(core: int) -> float:
    seconds = []
    with pinned(core):
        for _ in range(_HELP_RUNS):
            since = time.perf_counter()
            subprocess.run([sys.executable, "-m", "satisfice", "--help"], check=True, stdout=subprocess.DEVNULL)
            seconds.append(time.perf_counter() - since)
    return statistics.median(seconds)


def _warm_up(each: Target) -> None:
    _answered(each, _busy_second(each, _CALL, connections=_WARM_CONNECTIONS))


def _answered(each: Target, tally: Tally) -> Tally:
    if not tally.count:
        raise TargetError(f"{each.name} answers nothing: {tally.complaint or 'silence'}")
    return tally


def _busy_second(each: Target, call: bytes, *, connections: int) -> Tally:
    return _run(closed_loop(each.port, call, connections=connections, seconds=1.0))


def _run(load: Coroutine[None, None, _T]) -> _T:
    """Runs a load on a loop of its own, undisturbed by the garbage collector."""
    gc.collect()
    gc.disable()
    try:
        return uvloop.run(load)
    finally:
        gc.enable()
