"""Samples → one Markdown table: medians, ratios to nginx within the round, and the goals they are held to."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from bench.samples import Calls, Chunks, Footprint, Sample, Soak, Start

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.samples import Test
    from bench.targets import Name

__all__ = ["Report", "report"]

_S = TypeVar("_S", bound=Sample)

_MET, _MISSED = "met", "**missed**"


class Report(NamedTuple):
    """The table, and whether every goal in it is met and no call failed."""

    text: str
    passed: bool


def report(samples: Sequence[Sample]) -> Report:
    """Every figure that the samples tell, in the order of `_FIGURES`."""
    book = _Book(samples)
    rows = [row for row in (_row(figure, book) for figure in _FIGURES) if row]
    failures = [
        f"{each.failed} calls failed in `{each.test}` of {each.target}; the first: {each.complaint!r}"
        for each in samples
        if each.failed
    ]
    lines = [
        f"| figure | nginx | {book.subject} | ratio (least to most) | goal | |",
        "| --- | ---: | ---: | ---: | --- | --- |",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
        f"Rounds: {len(book.rounds)}. Figures are medians; each ratio is of one round.",
        *failures,
    ]
    return Report("\n".join(lines), not failures and all(row.verdict != _MISSED for row in rows))


class _Book:
    """Samples by test, target and round."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._samples = {(each.test, each.target, each.tls, each.round): each for each in samples}
        self.rounds = sorted({each.round for each in samples})
        subjects: list[Name] = [each.target for each in samples if each.target not in ("direct", "nginx")]
        self.subject: Name = subjects[0] if subjects else "satisfice"

    def find(self, kind: type[_S], *, test: Test, turn: _Turn, tls: bool) -> _S | None:
        found = self._samples.get((test, turn.target, tls, turn.round))
        return found if isinstance(found, kind) else None


class _Turn(NamedTuple):
    target: Name
    round: int


_Read = Callable[[_Book, _Turn], "float | None"]
"""What a target showed in a round, if it was measured."""


class _Goal(NamedTuple):
    limit: float
    of_ratio: bool = False

    def __str__(self) -> str:
        return f"≤ {self.limit:g}{' times nginx' if self.of_ratio else ''}"


class _Figure(NamedTuple):
    label: str
    read: _Read
    goal: _Goal | None = None
    divides: bool = True
    """Whether a ratio to nginx tells something: not where both differ from zero by little more than noise."""


class _Row(NamedTuple):
    label: str
    nginx: str
    subject: str
    ratio: str
    goal: str
    verdict: str


def _row(figure: _Figure, book: _Book) -> _Row | None:
    both = [
        (figure.read(book, _Turn("nginx", number)), figure.read(book, _Turn(book.subject, number)))
        for number in book.rounds
    ]
    theirs = [nginx for nginx, _ in both if nginx is not None]
    ours = [subject for _, subject in both if subject is not None]
    if not ours:
        return None
    ratios = []
    if figure.divides:
        # Noise can hide all that nginx adds; then there is nothing to divide by.
        ratios = [subject / nginx for nginx, subject in both if subject is not None and nginx is not None and nginx > 0]
    verdict = ""
    if goal := figure.goal:
        held = ratios if goal.of_ratio else ours
        verdict = _MET if held and statistics.median(held) <= goal.limit else _MISSED
    spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})" if ratios else ""
    return _Row(figure.label, _median(theirs), _median(ours), spread, str(goal or ""), verdict)


def _median(values: list[float]) -> str:
    if not values:
        return ""
    middle = statistics.median(values)
    return f"{middle:.0f}" if abs(middle) >= 100 else f"{middle:.3g}"


def _own(kind: type[_S], value: Callable[[_S], float | None], *, test: Test, tls: bool = False) -> _Read:
    def read(book: _Book, turn: _Turn) -> float | None:
        sample = book.find(kind, test=test, turn=turn, tls=tls)
        return None if sample is None else value(sample)

    return read


def _added(kind: type[_S], value: Callable[[_S], float | None], *, test: Test, tls: bool) -> _Read:
    """Beyond the direct way, which is without TLS."""
    own, plain = _own(kind, value, test=test, tls=tls), _own(kind, value, test=test)

    def read(book: _Book, turn: _Turn) -> float | None:
        return _difference(own(book, turn), plain(book, _Turn("direct", turn.round)))

    return read


def _for_tls(kind: type[_S], value: Callable[[_S], float | None], *, test: Test) -> _Read:
    """Beyond the same without TLS."""
    encrypted, plain = _own(kind, value, test=test, tls=True), _own(kind, value, test=test)

    def read(book: _Book, turn: _Turn) -> float | None:
        return _difference(encrypted(book, turn), plain(book, turn))

    return read


def _difference(more: float | None, less: float | None) -> float | None:
    return None if more is None or less is None else more - less


def _cpu(sample: Calls | Chunks) -> float:
    return sample.cpu_us


def _p50(sample: Calls | Chunks) -> float:
    return sample.p50_us


def _p99(sample: Calls | Chunks) -> float:
    return sample.p99_us


def _first_p50(sample: Chunks) -> float | None:
    return sample.first_p50_us


def _path(prefix: str, goals: Sequence[_Goal | None], *, tls: bool) -> tuple[_Figure, ...]:
    """What a call and a chunk cost on the way to plain or to TLS upstreams."""
    busy, paced_p50, fast = goals
    return (
        _Figure(f"{prefix}CPU per call, busy, µs", _own(Calls, _cpu, test="busy", tls=tls), busy),
        _Figure(f"{prefix}CPU per call at 200/s, µs", _own(Calls, _cpu, test="paced", tls=tls)),
        _Figure(f"{prefix}added to a call at 200/s, p50, µs", _added(Calls, _p50, test="paced", tls=tls), paced_p50),
        _Figure(f"{prefix}added to a call at 200/s, p99, µs", _added(Calls, _p99, test="paced", tls=tls)),
        _Figure(f"{prefix}CPU per chunk at 2,500/s, µs", _own(Chunks, _cpu, test="chunks", tls=tls)),
        _Figure(f"{prefix}CPU per chunk at 10,000/s, µs", _own(Chunks, _cpu, test="chunks10k", tls=tls), fast),
        _Figure(
            f"{prefix}added to a chunk at 2,500/s, p50, µs", _added(Chunks, _p50, test="chunks", tls=tls), divides=False
        ),
        _Figure(
            f"{prefix}added to a chunk at 2,500/s, p99, µs", _added(Chunks, _p99, test="chunks", tls=tls), divides=False
        ),
        _Figure(
            f"{prefix}added to a first chunk, p50, µs",
            _added(Chunks, _first_p50, test="chunks", tls=tls),
            divides=False,
        ),
    )


_FIGURES = (
    *_path("", (_Goal(5.0, of_ratio=True), _Goal(2.2, of_ratio=True), _Goal(2.2, of_ratio=True)), tls=False),
    _Figure("share of its core, busy", _own(Calls, lambda it: it.core_share, test="busy")),
    _Figure("chunks a second of 10,000", _own(Chunks, lambda it: it.count / it.seconds, test="chunks10k")),
    *_path("TLS: ", (None, None, None), tls=True),
    _Figure("more CPU per call for TLS, busy, µs", _for_tls(Calls, _cpu, test="busy"), _Goal(12), divides=False),
    _Figure(
        "more CPU per chunk for TLS at 2,500/s, µs", _for_tls(Chunks, _cpu, test="chunks"), _Goal(12), divides=False
    ),
    _Figure(
        "more CPU per chunk for TLS at 10,000/s, µs", _for_tls(Chunks, _cpu, test="chunks10k"), _Goal(12), divides=False
    ),
    _Figure("idle RSS, MiB", _own(Footprint, lambda it: it.idle_rss_kib / 1024, test="memory"), _Goal(60)),
    _Figure("idle PSS, MiB", _own(Footprint, lambda it: it.idle_pss_kib / 1024, test="memory")),
    _Figure("per open stream, KiB", _own(Footprint, Footprint.per_stream_kib, test="memory"), _Goal(30)),
    _Figure("TLS: per open stream, KiB", _own(Footprint, Footprint.per_stream_kib, test="memory", tls=True)),
    _Figure("open streams", _own(Footprint, lambda it: it.streams, test="memory")),
    _Figure("RSS growth over the soak, MiB", _own(Soak, lambda it: it.growth_kib() / 1024, test="soak"), _Goal(4)),
    _Figure("calls of the soak", _own(Soak, lambda it: it.count, test="soak")),
    _Figure("start until ready, s", _own(Start, lambda it: it.ready_s, test="start"), _Goal(1)),
    _Figure("satisfice --help, s", _own(Start, lambda it: it.help_s, test="start"), _Goal(0.15)),
)
