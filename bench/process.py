"""What a process and its children use, told by Linux; and where and how they may run."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Memory", "cpu_seconds", "memory", "pinned", "realtime", "stop"]

_PATIENCE_S = 5.0


class Memory(NamedTuple):
    """Resident and proportional set size, KiB."""

    rss_kib: int
    pss_kib: int


def cpu_seconds(pid: int) -> float:
    """CPU time of the process and its living descendants, user and system, ended threads included; nanosecond-exact.

    Each process has a CPU clock that anyone may read (clock_getcpuclockid(3)). /proc/PID/stat counts in ticks of
    10 ms, and /proc/PID/task forgets the threads that have ended.
    """
    return sum(time.clock_gettime_ns(_cpu_clock(member)) for member in _tree(pid)) / 1e9


def memory(pid: int) -> Memory:
    """Memory of the process and its descendants; pages that they share count once in PSS, each time in RSS."""
    rollups = [Path(f"/proc/{member}/smaps_rollup").read_text() for member in _tree(pid)]
    return Memory(sum(_field(text, "Rss:") for text in rollups), sum(_field(text, "Pss:") for text in rollups))


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Processes started inside run on this core only, from their first instruction."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def realtime(pids: Iterable[int]) -> Iterator[None]:
    """These process trees run ahead of everything else on the machine (SCHED_RR; needs root or CAP_SYS_NICE)."""
    roots = tuple(pids)
    _schedule(roots, os.SCHED_RR, priority=1)
    try:
        yield
    finally:
        _schedule(roots, os.SCHED_OTHER, priority=0)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends a process that leads a session of its own, and all it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(_PATIENCE_S)
        except ProcessLookupError:
            process.wait()
        except subprocess.TimeoutExpired:
            continue
        return


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread may end meanwhile
            for child in (task / "children").read_text().split():
                yield from _tree(int(child))


def _cpu_clock(pid: int) -> int:
    # MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED) in the kernel's posix-timers.h
    return (~pid << 3) | 2


def _field(rollup: str, name: str) -> int:
    _, _, rest = rollup.partition(name)
    return int(rest.split(maxsplit=1)[0])


def _schedule(roots: Iterable[int], policy: int, *, priority: int) -> None:
    members = [member for root in roots for member in _tree(root)]
    threads = [int(task.name) for member in members for task in Path(f"/proc/{member}/task").iterdir()]
    for thread in threads:
        with suppress(ProcessLookupError):
            os.sched_setscheduler(thread, policy, os.sched_param(priority))
