"""`python -m bench`: measures the gateway beside nginx and prints the table.

Progress goes to stderr, the table to stdout, every sample to a JSON lines file. Ends with 1 if a goal is missed, if a
call failed, or if a target can't be measured.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from bench.measure import run
from bench.plan import Plan
from bench.report import report
from bench.samples import Calls, Chunks, Sample, Test, decode, encode
from bench.targets import TargetError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_TESTS: tuple[Test, ...] = get_args(Test)
_DEFAULT = Plan()


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    options = _parser().parse_args(arguments)
    if options.report:
        samples = list(decode(options.report.read_text().splitlines()))
    else:
        # As Ctrl-C, which unwinds a running loop in order: what was started is stopped.
        signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
        try:
            samples = _measured(_plan(options), options.out)
        except TargetError as error:
            raise SystemExit(str(error)) from error
        except KeyboardInterrupt:
            raise SystemExit("stopped") from None
    text, passed = report(samples)
    print(text)
    return 0 if passed else 1


def _measured(plan: Plan, out: Path) -> list[Sample]:
    samples = []
    with out.open("w") as lines:
        for sample in run(plan):
            samples.append(sample)
            print(encode(sample), file=lines, flush=True)
            print(_progress(sample), file=sys.stderr)
    return samples


def _progress(sample: Sample) -> str:
    words = [f"round {sample.round + 1}", sample.test, sample.target, "TLS" if sample.tls else ""]
    if isinstance(sample, Calls | Chunks):
        words.append(f"{sample.cpu_us:.1f} µs CPU, p50 {sample.p50_us:.0f} µs")
    return "  ".join(filter(None, words))


def _plan(options: argparse.Namespace) -> Plan:
    first, *others = sorted(os.sched_getaffinity(0))
    if not others:
        raise SystemExit("needs two cores: one for the target, one for the load and the upstream")
    tests = tuple(options.tests.split(","))
    if unknown := set(tests) - set(_TESTS):
        raise SystemExit(f"no such test: {', '.join(sorted(unknown))}; there are {', '.join(_TESTS)}")
    quick = options.quick
    return Plan(
        subject="nginx-again" if options.calibrate else "satisfice",
        tests=(*tests, "soak") if options.soak else tests,
        tls=options.tls,
        rounds=options.rounds or (1 if quick else _DEFAULT.rounds),
        seconds=1.0 if quick else _DEFAULT.seconds,
        streams=options.streams or (300 if quick else _DEFAULT.streams),
        soak_calls=options.soak or _DEFAULT.soak_calls,
        offers=options.offers,
        realtime=options.rt,
        load_core=first,
        target_core=others[-1],
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures the gateway beside nginx.")
    parser.add_argument("--rounds", type=int, help=f"how often each test is repeated ({_DEFAULT.rounds})")
    parser.add_argument("--tests", default=",".join(_DEFAULT.tests), help=f"some of {','.join(_TESTS)}")
    parser.add_argument("--tls", action="store_true", help="the same with TLS to the upstream, in the same rounds")
    parser.add_argument("--streams", type=int, help=f"open at once when memory is measured ({_DEFAULT.streams})")
    parser.add_argument(
        "--offers", type=int, default=_DEFAULT.offers, help="in the gateway's catalog, at ten providers (%(default)s)"
    )
    parser.add_argument("--soak", type=int, metavar="N", help="memory over N calls, too")
    parser.add_argument("--rt", action="store_true", help="latency tests ahead of all other jobs (SCHED_RR; root)")
    parser.add_argument("--quick", action="store_true", help="one short round: does it run, not how fast is it")
    parser.add_argument("--calibrate", action="store_true", help="a second nginx in the gateway's place: the noise")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent / "latest.jsonl", help="where the samples go (%(default)s)"
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="only print the table of an earlier run")
    return parser


if __name__ == "__main__":
    sys.exit(main())
