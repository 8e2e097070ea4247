"""Whose fault a failure is, what it says, and the one error that the caller gets when every attempt failed."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from satisfice.attempt.outcome import Fault, Outcome, broken, classify, summarise
from satisfice.core.errors import (
    AllResting,
    Break,
    Broken,
    ConfigError,
    GatewayError,
    NoCandidate,
    UpstreamBusy,
    UpstreamFailed,
    UpstreamTimeout,
    UpstreamUnfunded,
)
from tests.attempt.errors import Case, errors, shown
from tests.build import an_outcome

_NOW_MS = 784_111_777_000
"""Sun, 06 Nov 1994 08:49:37 GMT, the date of RFC 9110's examples."""

_STATUSES = {
    Fault.CALLER: (400, 405, 406, 411, 414, 415, 418, 422, 428, 431, 451, 499),
    Fault.UPSTREAM: (300, 302, 304, 408, 409, 425, 500, 501, 502, 503, 504, 508, 520, 522, 524, 530, 599),
    Fault.OFFER: (404, 410),
    Fault.ABILITY: (413,),
    Fault.CAPACITY: (429, 529),
    Fault.FUNDS: (402,),
    Fault.KEY: (401, 403),
}


@pytest.mark.parametrize(
    ("status", "fault"), [(status, fault) for fault, statuses in _STATUSES.items() for status in statuses]
)
def test_a_status_says_whose_fault_it_is(status: int, fault: Fault) -> None:
    outcome = _classified(status)

    assert (fault, status, f"status {status}") == (outcome.fault, outcome.status, outcome.detail)
    assert not any((outcome.is_timeout, outcome.is_final, outcome.is_providers, outcome.is_denied))


@pytest.mark.parametrize("case", errors(), ids=shown)
def test_what_providers_really_say_is_understood(case: Case) -> None:
    outcome = classify(case.status, (), body=case.body, unix_ms=_NOW_MS)

    assert (case.fault, case.context, case.lacks) == (outcome.fault, outcome.learnt_context, outcome.learnt_lack)


@pytest.mark.parametrize("status", [401, 402, 403, 429, 529])
def test_a_limit_an_empty_account_and_a_bad_key_are_what_they_are(status: int) -> None:
    """Whatever is said with them: nothing of it is learnt, and the offer rests."""
    outcome = _classified(status, body='{"error":{"message":"The maximum context length is 8192","n_ctx":8192}}')

    assert outcome.fault.rests
    assert outcome.learnt_context is None


@pytest.mark.parametrize("code", ["model_not_found", "model_not_available", "unknown_model", "invalid_model"])
def test_a_400_that_means_the_model_is_about_the_offer(code: str) -> None:
    """Another provider may well have it."""
    assert Fault.OFFER is _classified(400, body=f'{{"error":{{"code":"{code}"}}}}').fault


@pytest.mark.parametrize("code", ['"invalid_value"', "400", "null", "1.5"])
def test_a_400_with_any_other_code_is_about_the_request(code: str) -> None:
    assert Fault.CALLER is _classified(400, body=f'{{"error":{{"code":{code}}}}}').fault


def test_a_code_excuses_no_other_fault() -> None:
    assert Fault.UPSTREAM is _classified(500, body='{"error":{"code":"model_not_found"}}').fault


def test_a_503_that_says_when_to_come_back_is_at_its_limit() -> None:
    assert Fault.CAPACITY is _classified(503, retry_after="3").fault
    assert Fault.UPSTREAM is _classified(503, retry_after="soon").fault


@pytest.mark.parametrize(("status", "fault"), [(500, Fault.UPSTREAM), (400, Fault.CALLER), (401, Fault.KEY)])
def test_no_other_status_is_excused_by_saying_when_to_come_back(status: int, fault: Fault) -> None:
    assert fault is _classified(status, retry_after="3").fault


@pytest.mark.parametrize(
    ("trait", "faults"),
    [
        ("is_about_call", {Fault.CALLER, Fault.CONTEXT, Fault.ABILITY}),
        ("trips", {Fault.UPSTREAM}),
        ("rests", {Fault.OFFER, Fault.CAPACITY, Fault.FUNDS, Fault.KEY}),
        ("is_passing", {Fault.UPSTREAM, Fault.CAPACITY}),
        ("is_operators", {Fault.FUNDS, Fault.KEY}),
    ],
)
def test_a_fault_decides_what_comes_next(trait: str, faults: set[Fault]) -> None:
    assert faults == {fault for fault in Fault if getattr(fault, trait)}


@pytest.mark.parametrize("fault", Fault)
def test_a_fault_means_one_thing_for_the_health_of_an_offer(fault: Fault) -> None:
    assert 1 == fault.is_about_call + fault.trips + fault.rests


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("3", 3.0),
        (" 120 ", 120.0),
        ("007", 7.0),
        ("99999999999999999999", 999_999_999.0),
        ("Sun, 06 Nov 1994 08:49:47 GMT", 10.0),
        ("Sunday, 06-Nov-94 08:49:47 GMT", 10.0),
        ("Sun Nov  6 08:49:47 1994", 10.0),
        ("Sun, 06 Nov 1994 08:49:47 -0000", 10.0),
        ("Sun, 06 Nov 1994 09:49:47 +0100", 10.0),
        ("Sun, 06 Nov 1994 08:49:27 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 252_618_189_022.0),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("+3", None),
        ("3 s", None),
        ("soon", None),
        ("²", None),
        ("Sun, 06 Nov 99999 08:49:47 GMT", None),
        ("Sun, 41 Nov 1994 08:49:47 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_nothing(value: str, seconds: float | None) -> None:
    """RFC 9110 sections 5.6.7 and 10.2.3; all three forms of a date."""
    assert seconds == _classified(429, retry_after=value).retry_after


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_a_date_without_a_zone_does_not_depend_on_where_this_machine_stands(
    zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        wait = _classified(429, retry_after="Sun Nov  6 08:49:47 1994").retry_after
    time.tzset()

    assert 10.0 == wait


def test_no_retry_after_is_none() -> None:
    assert _classified(429).retry_after is None


def test_of_two_retry_afters_the_first_counts() -> None:
    headers = ((b"date", b"1"), (b"retry-after", b"2"), (b"retry-after", b"3"))

    assert 2.0 == classify(429, headers, body=b"", unix_ms=_NOW_MS).retry_after


@given(st.one_of(st.binary(max_size=40), st.text("0123456789 -+:,.GMTSunNov", max_size=40).map(str.encode)))
def test_any_retry_after_is_a_time_to_come_or_nothing(value: bytes) -> None:
    wait = classify(429, ((b"retry-after", value),), body=b"", unix_ms=_NOW_MS).retry_after

    assert wait is None or wait >= 0.0


def test_what_the_upstream_said_is_kept_for_people() -> None:
    assert "Overloaded" == _classified(500, body='{"error":{"message":"Overloaded","code":"busy"}}').said


@given(st.integers(300, 599), st.binary(max_size=60))
def test_any_answer_can_be_classified(status: int, body: bytes) -> None:
    assert status == classify(status, (), body=body, unix_ms=_NOW_MS).status


@pytest.mark.parametrize("kind", Break)
def test_whatever_breaks_below_the_statuses_is_the_upstream_s_fault(kind: Break) -> None:
    outcome = broken(Broken(kind, "after 3 s"))

    assert (Fault.UPSTREAM, f"{kind.value}: after 3 s", None) == (outcome.fault, outcome.detail, outcome.status)
    assert ("TIMEOUT" in kind.name) is outcome.is_timeout
    assert (kind is Break.TOTAL_TIMEOUT) is outcome.is_final
    reached = {Break.FIRST_BYTE_TIMEOUT, Break.IDLE_TIMEOUT, Break.TOTAL_TIMEOUT, Break.CUT}
    assert (kind not in reached | {Break.MALFORMED, Break.TOO_LARGE}) is outcome.is_providers


_BUSY = an_outcome(Fault.CAPACITY, status=429, retry_after=7.0)
_BUSY_A_WHILE = an_outcome(Fault.CAPACITY, status=429, retry_after=90.0)
_BUSY_WHO_KNOWS = an_outcome(Fault.CAPACITY, status=529)
_EMPTY = an_outcome(Fault.FUNDS, status=402)
_NO_KEY = an_outcome(Fault.KEY, status=401, said="Incorrect key sk-1234")
_NO_MODEL = an_outcome(Fault.OFFER, status=404)
_DOWN = an_outcome(status=503, said="Maintenance")
_LATE = an_outcome(status=None, is_timeout=True)
_CUT = an_outcome(status=None)
_MOVED = an_outcome(status=302)
_TOO_LONG = an_outcome(Fault.CONTEXT, status=400)
_NO_TOOLS = an_outcome(Fault.ABILITY, status=500)
_WRONG = an_outcome(Fault.CALLER, status=422)
_OPEN = structs.replace(_CUT, is_denied=True, retry_after=30.0)
_PROBED = structs.replace(_CUT, is_denied=True, retry_after=3.0)
_NOBODY_KNOWS = structs.replace(_CUT, is_denied=True)


@pytest.mark.parametrize(
    ("outcomes", "kind", "status", "retry_after"),
    [
        ([_BUSY], UpstreamBusy, 429, 7.0),
        ([_BUSY_A_WHILE, _BUSY, _BUSY_WHO_KNOWS], UpstreamBusy, 429, 7.0),
        ([_BUSY_WHO_KNOWS], UpstreamBusy, 429, None),
        ([_EMPTY, _EMPTY], UpstreamUnfunded, 402, None),
        ([_NO_KEY], ConfigError, 500, None),
        ([_LATE], UpstreamTimeout, 504, None),
        ([_DOWN, _LATE], UpstreamTimeout, 504, None),
        ([_LATE, _DOWN], UpstreamFailed, 503, None),
        ([_CUT], UpstreamFailed, 502, None),
        ([_MOVED], UpstreamFailed, 502, None),
        ([_NO_MODEL], UpstreamFailed, 404, None),
        ([_DOWN, _NO_MODEL], UpstreamFailed, 503, None),
        ([_DOWN, _BUSY], UpstreamFailed, 429, 7.0),
        ([_BUSY, _EMPTY], UpstreamFailed, 429, 7.0),
        ([_EMPTY, _NO_KEY], UpstreamFailed, 502, None),
        ([_NO_MODEL, _EMPTY], UpstreamFailed, 502, None),
        ([_TOO_LONG], NoCandidate, 400, None),
        ([_TOO_LONG, _NO_TOOLS], NoCandidate, 400, None),
        ([_NO_TOOLS, _WRONG], NoCandidate, 422, None),
        ([_DOWN, _TOO_LONG], UpstreamFailed, 503, None),
        ([_TOO_LONG, _NO_MODEL, _TOO_LONG], UpstreamFailed, 404, None),
        ([_TOO_LONG, _NO_KEY], UpstreamFailed, 502, None),
        ([_BUSY, _TOO_LONG], UpstreamFailed, 429, 7.0),
        ([_OPEN, _PROBED, _NOBODY_KNOWS], AllResting, 503, 3.0),
        ([_NOBODY_KNOWS], AllResting, 503, None),
        ([_OPEN, _DOWN], UpstreamFailed, 503, None),
        ([_OPEN, _TOO_LONG], UpstreamFailed, 502, 30.0),
    ],
    ids=range(27),
)
def test_of_many_failures_the_caller_gets_the_one_that_tells_what_to_do(
    outcomes: list[Outcome], kind: type[GatewayError], status: int, retry_after: float | None
) -> None:
    """A key refused to us must not read as the caller's own, nor an empty account as theirs, if all may pass.

    That a prompt is too long is told only if nobody else is to blame.
    """
    error = summarise([("acme", outcome) for outcome in outcomes])

    assert (kind, status, retry_after) == (type(error), error.status, error.retry_after)


@pytest.mark.parametrize(
    ("outcomes", "message"),
    [
        ([_DOWN, _CUT], "No offer answered. Tried acme: status 503 (Maintenance); bits: cut."),
        ([_TOO_LONG, _WRONG], "No offer takes this call. Tried acme: status 400; bits: status 422."),
        ([_OPEN, _PROBED], "No offer is asked at present. acme: cut; bits: cut."),
    ],
    ids=["failed", "about the call", "resting"],
)
def test_the_error_tells_the_whole_story_in_order(outcomes: list[Outcome], message: str) -> None:
    assert message == summarise(list(zip(["acme", "bits"], outcomes, strict=True))).message


def test_what_was_said_of_our_key_is_not_told_to_callers() -> None:
    """Some providers repeat the key, or parts of it."""
    assert "sk-1234" not in summarise([("acme", _NO_KEY), ("bits", _DOWN)]).message


def _classified(status: int, *, body: str = "", retry_after: str | None = None) -> Outcome:
    headers = [(b"content-type", b"application/json")]
    if retry_after is not None:
        headers.append((b"retry-after", retry_after.encode("latin-1")))
    return classify(status, headers, body=body.encode("latin-1"), unix_ms=_NOW_MS)


@pytest.mark.parametrize(
    ("status", "code", "fault"),
    [
        (429, "insufficient_quota", Fault.FUNDS),
        (429, "rate_limit_exceeded", Fault.CAPACITY),
        (400, "billing_not_active", Fault.FUNDS),
        (400, "invalid_api_key", Fault.KEY),
        (400, "invalid_value", Fault.CALLER),
        (500, "insufficient_quota", Fault.UPSTREAM),
        (400, "no_candidate", Fault.ABILITY),
    ],
)
def test_a_code_may_say_more_than_its_status(status: int, code: str, fault: Fault) -> None:
    body = b'{"error":{"message":"no","code":"%b"}}' % code.encode()

    assert fault is classify(status, [], body=body, unix_ms=0).fault


def test_a_date_beyond_all_calendars_is_no_date() -> None:
    headers = [(b"retry-after", b"Mon, 1 Jan 2020 00:00:00 +99999999999999999")]

    assert classify(429, headers, body=b"", unix_ms=0).retry_after is None
