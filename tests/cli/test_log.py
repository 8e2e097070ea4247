"""Where events are told, whoever reads."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import threading

import msgspec
import pytest

from satisfice.cli.events import Called, Event, Logged, Stopped
from satisfice.cli.log import JSONLog, TextLog, told_to
from satisfice.core.clock import ManualClock
from tests.cli.test_wording import CALL

STOPPED = Stopped(time_ms=0, cut_calls=0)


class Notes:
    """A log that only remembers."""

    def __init__(self) -> None:
        self.told: list[Event] = []

    def tell(self, event: Event) -> None:
        self.told.append(event)

    def hint(self, command: str, why: str) -> None: ...

    def close(self) -> None: ...


class Stuck:
    """A pipe that nobody reads, until it is let go."""

    def __init__(self) -> None:
        self.written = b""
        self.is_reached = threading.Event()
        self.let_go = threading.Event()

    def write(self, data: bytes) -> None:
        self.is_reached.set()
        self.let_go.wait()
        self.written += data

    def flush(self) -> None: ...


def lines(written: bytes) -> list[dict[str, object]]:
    return [json.loads(line) for line in written.splitlines()]


def shown(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line.strip() for line in capsys.readouterr().err.splitlines()]


async def test_programs_get_a_line_of_json_for_each_event() -> None:
    stream = io.BytesIO()
    log = JSONLog(stream)

    log.tell(CALL)
    log.tell(STOPPED)
    log.close()

    assert ["call", "stopped"] == [line["event"] for line in lines(stream.getvalue())]


async def test_a_call_is_told_soon_though_nothing_else_happens() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as reader, os.fdopen(writing, "wb") as writer:
        log = JSONLog(writer)
        log.tell(CALL)

        told = await asyncio.to_thread(reader.readline)

        log.close()
    assert "call" == json.loads(told)["event"]


async def test_a_reader_who_does_not_read_holds_nobody_up_and_hears_how_much_was_dropped() -> None:
    stream = Stuck()
    log = JSONLog(stream)
    log.tell(STOPPED)
    stream.is_reached.wait()
    for _ in range(70):  # 64 fit into the queue
        log.tell(STOPPED)

    stream.let_go.set()
    log.close()
    told = lines(stream.written)

    dropped = [line["lines"] for line in told if line["event"] == "dropped"]
    assert [6] == dropped
    assert 71 == len(told) - len(dropped) + sum(int(str(each)) for each in dropped)


async def test_a_reader_who_has_gone_is_no_trouble() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb", buffering=0) as stream:
        log = JSONLog(stream)
        log.tell(STOPPED)
        log.tell(STOPPED)
        log.close()


def test_people_get_the_first_answer_and_every_trouble(capsys: pytest.CaptureFixture[str]) -> None:
    log = TextLog(is_verbose=False)

    for outcome in ("failed", "refused", "answered", "answered", "left", "cut"):
        log.tell(_call(outcome))

    assert ["✗ auto: nobody", "✓ first call: ", "✗ auto via ste"] == [line[:14] for line in shown(capsys)]


def test_people_who_ask_for_it_get_every_call(capsys: pytest.CaptureFixture[str]) -> None:
    log = TextLog(is_verbose=True)

    for outcome in ("answered", "answered", "left"):
        log.tell(_call(outcome))

    assert ["✓ auto via", "✓ auto via", "\N{EN DASH} auto: th"] == [line[:10] for line in shown(capsys)]


def test_only_people_are_told_what_to_do_next(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.BytesIO()
    for log in (TextLog(is_verbose=False), JSONLog(stream)):
        log.hint("satisfice demo", "to try it")
        log.close()

    assert ["Next: satisfice demo  (to try it)"] == shown(capsys)
    assert b"" == stream.getvalue()


def test_what_the_parts_of_the_program_log_is_told_without_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception's message may quote a prompt; where it was raised doesn't."""
    monkeypatch.delenv("SATISFICE_DEBUG", raising=False)
    log = Notes()
    with told_to(log, ManualClock()):
        try:
            raise ValueError("secret")
        except ValueError:
            logging.getLogger("satisfice.server").exception("req_1: a bug\nfuture: <ValueError('secret')>")
    logging.getLogger("satisfice.server").error("too late")

    [told] = log.told
    assert "secret" not in repr(told)
    assert "req_1: a bug (ValueError)" in repr(told)


def test_of_good_news_only_our_own_are_told() -> None:
    log = Notes()
    others = [logging.getLogger(name) for name in ("another", "satisfied")]
    with told_to(log, ManualClock()):
        for each in (logging.getLogger("satisfice.engine"), *others):
            if each in others:
                each.setLevel(logging.DEBUG)  # a library may talk as much as it likes
            each.debug("step 1 of 7")
            each.info("all is well")
        others[0].warning("something is odd")
    for each in others:
        each.setLevel(logging.NOTSET)

    assert [("info", "all is well"), ("warning", "something is odd")] == [
        (event.level, event.message) for event in log.told if isinstance(event, Logged)
    ]
    assert not logging.getLogger("satisfice.engine").isEnabledFor(logging.INFO), "by now"


def test_for_who_looks_for_a_bug_there_is_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SATISFICE_DEBUG", "1")
    log = Notes()
    with told_to(log, ManualClock()):
        try:
            raise ValueError("it broke")
        except ValueError:
            logging.getLogger("satisfice.server").exception("req_1: a bug")

    assert "ValueError: it broke" in repr(log.told)


def _call(outcome: str) -> Called:
    return msgspec.structs.replace(CALL, outcome=outcome)
