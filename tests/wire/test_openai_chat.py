"""Chat Completions: what requests, answers and events say, for every case of the corpus; and the errors we write."""

from __future__ import annotations

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.core.amounts import Msat, Usage
from satisfice.core.errors import (
    BadKey,
    BadRequest,
    Broken,
    Draining,
    GatewayError,
    Internal,
    UnknownModel,
    UpstreamBusy,
    UpstreamFailed,
    UpstreamUnfunded,
)
from satisfice.wire.openai_chat import OpenAIChat
from satisfice.wire.request import Ability, FrameKind
from satisfice.wire.sse import ServerSentEvent, SSEDecoder
from tests.build import a_body
from tests.wire.corpus import Case, cases, said, shown

_CHAT = OpenAIChat()
_COUNTS = st.integers(0, 10**6)


@pytest.mark.parametrize("case", cases("requests"), ids=shown)
def test_a_request_is_read_and_prepared(case: Case) -> None:
    assert case.expected == _told_of_request(case.given).split("\n")


@pytest.mark.parametrize("case", cases("answers"), ids=shown)
def test_an_answer_is_read(case: Case) -> None:
    assert case.expected == _told_of_answer(case.given).split("\n")


@pytest.mark.parametrize("case", cases("streams"), ids=shown)
def test_the_events_of_a_stream_are_read(case: Case) -> None:
    decoder = SSEDecoder()
    events = decoder.feed(case.given)
    if (last := decoder.finish()) is not None:
        events.append(last)

    assert case.expected[0] == " ".join(("kinds:", *map(_kind, events)))


def test_a_request_for_the_model_s_own_name_is_sent_as_it_came() -> None:
    body = a_body(stream=True, wants_usage=True)

    assert body == _CHAT.prepare(_CHAT.parse(body), "small")


def test_a_model_s_name_is_written_as_json() -> None:
    body = _CHAT.prepare(_CHAT.parse(a_body()), 'a "quoted"\nname')

    assert 'a "quoted"\nname' == msgspec.json.decode(body)["model"]


_SCHEMA = b'{"type":"json_schema","json_schema":{"name":"x","schema":{}}}'
_PICTURE = b'[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,aA=="}}]}]'


@pytest.mark.parametrize(
    ("members", "needs"),
    [
        (b'"messages":[]', set()),
        (b'"messages":[],"tools":[{"type":"function"}]', {Ability.TOOLS}),
        (b'"messages":[],"functions":[{"name":"f"}]', {Ability.TOOLS}),
        (b'"messages":[],"tools":[],"functions":null', set()),
        (b'"messages":%b' % _PICTURE, {Ability.VISION}),
        (b'"messages":[],"response_format":%b' % _SCHEMA, {Ability.JSON_SCHEMA}),
        (b'"messages":[],"response_format":{"type":"json_object"}', set()),
        (b'"messages":[],"response_format":null', set()),
        (b'"messages":[],"response_format":"json_schema"', set()),
        (b'"messages":[],"reasoning_effort":"high"', {Ability.REASONING}),
        (b'"messages":[],"reasoning":{"effort":"low"}', {Ability.REASONING}),
        (b'"messages":[],"reasoning_effort":"none"', set()),
        (
            b'"messages":%b,"tools":[1],"reasoning_effort":"low","response_format":%b' % (_PICTURE, _SCHEMA),
            set(Ability),
        ),
    ],
    ids=range(13),
)
def test_what_a_request_needs_is_read_from_its_keys(members: bytes, needs: set[Ability]) -> None:
    assert needs == _CHAT.parse(b'{"model":"m",%b}' % members).needs


@pytest.mark.parametrize(
    ("members", "effort", "session"),
    [
        (b'"reasoning_effort":"high","prompt_cache_key":"c1"', "high", "c1"),
        (b'"reasoning_effort":null,"prompt_cache_key":7', None, None),
        (b'"user":"me"', None, None),
    ],
)
def test_effort_and_session_are_texts_or_not_said(members: bytes, effort: str | None, session: str | None) -> None:
    request = _CHAT.parse(b'{"model":"m","messages":[],%b}' % members)

    assert (effort, session) == (request.effort, request.session)


def test_the_messages_are_the_bytes_they_came_as() -> None:
    request = _CHAT.parse(b'{"model":"m","messages":[ {"role": "user"} , 7,"x" ]}')

    assert [b'{"role": "user"}', b"7", b'"x"'] == [bytes(message) for message in _CHAT.messages(request)]


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ('[{"role":"user","content":"first"},{"role":"user","content":"last"}]', "last"),
        ('[{"role":"user","content":"asked"},{"role":"assistant","content":"answered"}]', "asked"),
        ('[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]', "a b"),
        ('[{"role":"user","content":[{"type":"image_url"}]}]', ""),
        ('[{"role":"user","content":null}]', ""),
        ('[{"role":"user"}]', ""),
        ('[{"role":"system","content":"x"}]', ""),
        ('[{"role":"user","content":"first"},7]', ""),
        ("[]", ""),
    ],
    ids=range(9),
)
def test_the_last_words_are_those_of_the_last_message_of_the_user(messages: str, words: str) -> None:
    """What can't be read is for the upstream to complain of."""
    assert words == _CHAT.last_words(_CHAT.parse(b'{"model":"m","messages":%b}' % messages.encode()))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'{"model":"m","messages":["\xff"]}', "The body is not valid UTF-8 at byte 26."),
        (b'{"model":"m\xed\xa0\x80","messages":[]}', "The body is not valid UTF-8 at byte 11."),
    ],
)
def test_a_request_that_is_not_utf_8_is_refused_with_the_place(raw: bytes, message: str) -> None:
    with pytest.raises(BadRequest) as refused:
        _CHAT.parse(raw)

    assert message == refused.value.message
    assert "Encode the JSON text as UTF-8." == refused.value.hint


@given(_COUNTS, _COUNTS, _COUNTS, _COUNTS)
def test_the_buckets_add_up_to_the_provider_s_own_totals(prompt: int, completion: int, cached: int, extra: int) -> None:
    """Whether reasoning is counted in the completion or in the total alone."""
    usage = _usage(prompt, completion, total=prompt + completion + extra, cached=min(cached, prompt), reasoned=extra)

    assert usage is not None
    assert prompt == usage.input
    assert prompt + completion + extra == usage.input + usage.output


@given(prompt=_COUNTS, completion=_COUNTS, cached=_COUNTS, reasoned=_COUNTS)
def test_a_part_that_is_larger_than_its_total_is_believed_in_nothing(
    prompt: int, completion: int, cached: int, reasoned: int
) -> None:
    usage = _usage(prompt, completion, total=prompt + completion, cached=cached, reasoned=reasoned)

    if cached > prompt or reasoned > completion:
        assert usage is None
    else:
        assert usage is not None
        assert (cached, reasoned) == (usage.cache_read, usage.reasoning)
        assert (prompt, completion) == (usage.input, usage.output)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[DONE",
        b"{}{}",
        b"\xff",
        b'{"choices":[{"finish_reason":"\xff"}]}',
        b'{"choices":[{"delta":{"\xff":1}}]}',
        b'{"choices":[{"finish_reason":1}]}',
        b'{"choices":' + b"[" * 100_000,
    ],
    ids=range(9),
)
def test_what_is_no_chunk_is_broken_and_not_a_bug(data: bytes) -> None:
    with pytest.raises(Broken, match="malformed"):
        _CHAT.classify(b"", data)


@pytest.mark.parametrize("answer", [b"\xff", b"[" * 100_000, b'{"choices":' + b"[" * 100_000], ids=range(3))
def test_what_is_no_answer_is_broken_and_not_a_bug(answer: bytes) -> None:
    with pytest.raises(Broken, match="malformed"):
        _CHAT.read(answer)


@given(st.binary(max_size=60))
def test_any_bytes_are_an_event_or_broken(data: bytes) -> None:
    with suppress(Broken):
        assert isinstance(_CHAT.classify(b"", data).kind, FrameKind)


@pytest.mark.parametrize("code", ['"\xff"', "429.0", "true", "[429]", "1" * 4_000, '"٤٢٩"', '"429 "'])
def test_a_code_that_is_no_status_counts_as_a_bad_gateway(code: str) -> None:
    frame = _CHAT.classify(b"", b'{"error":{"code":%b}}' % code.encode("latin-1", "backslashreplace"))

    assert frame.reading is not None
    assert 502 == frame.reading.error_status


def test_the_terminator_may_have_blanks_around_it() -> None:
    assert FrameKind.TERMINATOR is _CHAT.classify(b"", b" [DONE] ").kind


def test_the_cost_stands_last_in_the_usage_and_nothing_else_is_changed() -> None:
    data = b'{"x":1e400,"choices":[],"usage":{ "prompt_tokens":3,"cost":0.10 },"y":"\\u00e9"}'

    assert (
        b'{"x":1e400,"choices":[],"usage":{"prompt_tokens":3,"cost":0.10,"cost_msat":7},"y":"\\u00e9"}'
    ) == _CHAT.with_cost(data, Msat(7))


@pytest.mark.parametrize("data", [b'{"\xff":1,"usage":{}}', b'{"usage":{"\xff":1}}', rb'{"x":"\ud83d","usage":{}}'])
def test_a_usage_event_that_can_not_be_written_anew_stays_without_the_cost(data: bytes) -> None:
    assert data == _CHAT.with_cost(data, Msat(7))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BadKey("No."), "authentication_error"),
        (UpstreamBusy("No."), "rate_limit_error"),
        (UpstreamUnfunded("No."), "insufficient_quota"),
        (UnknownModel("No."), "invalid_request_error"),
        (UpstreamFailed("No."), "server_error"),
        (Draining("No."), "server_error"),
        (Internal("No."), "server_error"),
    ],
    ids=lambda value: getattr(value, "code", None),
)
def test_an_error_has_openai_s_type(error: GatewayError, kind: str) -> None:
    assert kind == msgspec.json.decode(_CHAT.error(error, "req_1"))["error"]["type"]


def test_an_error_says_what_and_why_and_what_to_do() -> None:
    error = BadRequest("`n` must be a whole number.", param="n", hint="Send 1.")

    assert {
        "error": {
            "message": "`n` must be a whole number. Send 1.",
            "type": "invalid_request_error",
            "param": "n",
            "code": "bad_request",
            "satisfice": {"request_id": "req_1", "source": "caller", "hint": "Send 1."},
        }
    } == msgspec.json.decode(_CHAT.error(error, "req_1"))


def test_an_error_in_mid_stream_is_one_event_that_reads_as_an_error() -> None:
    (event,) = SSEDecoder().feed(_CHAT.error_event(UpstreamFailed("Cut.\nReally."), "req_1"))

    assert event.data == _CHAT.error(UpstreamFailed("Cut.\nReally."), "req_1")
    assert "error" == _kind(event)


def _usage(prompt: int, completion: int, *, total: int, cached: int, reasoned: int) -> Usage | None:
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": total,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoned},
    }
    return _CHAT.read(msgspec.json.encode({"choices": [{}], "usage": usage})).usage


def _kind(event: ServerSentEvent) -> str:
    if event.data is None:
        return "comment"
    try:
        frame = _CHAT.classify(event.event, event.data)
    except Broken:
        return "alien"
    return "final" if frame.is_final else frame.kind.name.lower()


def _told_of_request(raw: bytes) -> str:
    try:
        request = _CHAT.parse(raw)
    except BadRequest as error:
        return f"error: {error.message}\nhint: {error.hint}\nparam: {error.param or 'none'}"
    return "\n".join(
        (
            f"model: {request.model}",
            f"stream: {'yes' if request.stream else 'no'}",
            f"usage: {'' if request.wants_usage else 'not '}asked for",
            f"output: {'any' if request.max_output is None else request.max_output}",
            f"choices: {request.choices}",
            f"sent: {_CHAT.prepare(request, 'there').decode()}",
        )
    )


def _told_of_answer(answer: bytes) -> str:
    try:
        reading = _CHAT.read(answer)
    except Broken as news:
        return f"broken: {news}"
    if reading.error_status is not None:
        assert answer == reading.body
        return f"status: {reading.error_status}"
    charged = "" if reading.charged is None else f"\ncharged: {reading.charged}"
    return f"usage: {said(reading.usage)}{charged}"
