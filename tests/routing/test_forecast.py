"""How many tokens a call is expected to take, and what calls teach about that."""

from __future__ import annotations

from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.catalog.model import ModelId
from satisfice.core.amounts import Usage
from satisfice.routing import forecast as module
from satisfice.routing.forecast import Expected, Forecast, ForecastSnapshot, Kind, kind_of
from satisfice.wire.openai_chat import OpenAIChat
from satisfice.wire.request import Ability, Request
from tests.build import a_body, a_request, a_usage

_MODEL: Final = ModelId("small")
_OTHER: Final = ModelId("large")
_PLAIN: Final = Kind("plain")
_TOOLS: Final = Kind("tools")
_PIXEL: Final = "iVBORw0KGgo" * 10_000
_COUNTS: Final = st.integers(0, 10**400)
_LIMITS: Final = st.none() | st.integers(-(10**400), 10**400)


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        ({}, "plain"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"response_format": {"type": "json_schema"}}, "json_schema"),
        ({"tools": [{}], "response_format": {"type": "json_schema"}, "reasoning_effort": "high"}, "all three"),
        ({"reasoning": {"max_tokens": 1_000}}, "reasoning"),
        ({"reasoning_effort": "none"}, "effort=none"),
        ({"reasoning_effort": "low"}, "effort=low"),
        ({"reasoning_effort": "to the bone"}, "reasoning"),
        ({"max_tokens": 5, "stream": True, "temperature": 0}, "plain"),
    ],
)
def test_a_kind_is_what_tells_how_long_the_answer_will_be(keys: dict[str, object], kind: str) -> None:
    expected = "tools+json_schema+effort=high" if kind == "all three" else kind

    assert expected == kind_of(_request(keys))


def test_images_in_the_prompt_make_no_other_kind() -> None:
    assert "plain" == kind_of(_request(_with_images("https://example.org/cat.png")))


@pytest.mark.parametrize(
    ("model", "bytes_per_token"),
    [
        ("gpt-4o-mini", 4.2),
        ("openai/GPT-5", 4.2),
        ("o3", 4.2),
        ("gpt-4", 4.0),
        ("anthropic/claude-sonnet-4.5", 3.5),
        ("mixtral-8x7b", 3.7),
        ("small", 4.0),
        ("claude/", 4.0),
    ],
)
def test_a_model_nobody_has_asked_counts_as_its_family_does(model: str, bytes_per_token: float) -> None:
    request = a_request(prompt="word " * 800)
    expected = Forecast().expect(request, ModelId(model), kind=_PLAIN)

    assert request.body.size / bytes_per_token == pytest.approx(expected.input, abs=0.5)


def test_how_a_model_counts_is_learnt_from_what_it_reports() -> None:
    """For others it tells nothing."""
    forecast, request = Forecast(), a_request(prompt="слово " * 800)
    tokens = request.body.size // 3
    for _ in range(20):
        _learn(forecast, request, usage=a_usage(tokens, 10))

    assert tokens == pytest.approx(forecast.expect(request, _MODEL, kind=_PLAIN).input, rel=0.1)
    assert request.body.size / 4 == pytest.approx(forecast.expect(request, _OTHER, kind=_PLAIN).input, abs=0.5)


def test_tokens_from_the_cache_are_input_too() -> None:
    read, cached = Forecast(), Forecast()
    request = a_request(prompt="word " * 800)
    _learn(read, request, usage=Usage(uncached=2_000))
    _learn(cached, request, usage=Usage(uncached=100, cache_read=1_500, cache_write=400))

    assert read.expect(request, _MODEL, kind=_PLAIN) == cached.expect(request, _MODEL, kind=_PLAIN)


def test_a_report_of_no_input_teaches_nothing_of_it() -> None:
    forecast, request = Forecast(), a_request(prompt="word " * 800)
    before = forecast.rates(_MODEL, _PLAIN)[0]
    _learn(forecast, request, usage=a_usage(0, 10))

    assert before == forecast.rates(_MODEL, _PLAIN)[0]


@pytest.mark.parametrize("tokens", [1, 10**400])
def test_one_absurd_report_moves_the_count_within_reason(tokens: int) -> None:
    forecast, request = Forecast(), a_request(prompt="word " * 800)
    before = forecast.rates(_MODEL, _PLAIN)[0]
    _learn(forecast, request, usage=a_usage(tokens, 10))

    assert before / 2 < forecast.rates(_MODEL, _PLAIN)[0] < before * 5


@pytest.mark.parametrize("url", ["https://example.org/cat.png", f"data:image/png;base64,{_PIXEL}"])
def test_an_image_is_no_text_however_it_is_sent(url: str) -> None:
    forecast = Forecast()
    without = forecast.expect(_request(_with_images()), _MODEL, kind=_PLAIN).input

    assert 800 == pytest.approx(
        forecast.expect(_request(_with_images(url)), _MODEL, kind=_PLAIN).input - without, abs=40
    )


def test_text_about_images_in_text_form_is_text() -> None:
    """Also where it holds what a payload begins with: it ends with the text at the latest."""
    text = "what does ;base64, mean? " * 100
    plain, marked = _request({}, prompt=text), _request(_with_images("https://example.org/cat.png"), prompt=text)
    forecast = Forecast()
    difference = forecast.expect(marked, _MODEL, kind=_PLAIN).input - forecast.expect(plain, _MODEL, kind=_PLAIN).input

    assert -len(text) / 4 <= difference - 800 <= 40


def test_what_a_model_takes_for_an_image_is_learnt_and_its_count_of_text_left_alone() -> None:
    """Some take 25,000 tokens."""
    forecast, request = Forecast(), _request(_with_images(f"data:image/png;base64,{_PIXEL}", "https://example.org/b"))
    rate = forecast.rates(_MODEL, _PLAIN)[0]
    for _ in range(40):
        _learn(forecast, request, usage=a_usage(50_100, 10))

    assert 50_100 == pytest.approx(forecast.expect(request, _MODEL, kind=_PLAIN).input, rel=0.25)
    assert rate == forecast.rates(_MODEL, _PLAIN)[0]


def test_a_model_that_counts_no_images_is_believed() -> None:
    forecast, request = Forecast(), _request(_with_images("https://example.org/cat.png"))
    for _ in range(100):
        _learn(forecast, request, usage=a_usage(20, 10))

    assert forecast.expect(request, _MODEL, kind=_PLAIN).input < 300


def test_a_request_that_needs_vision_but_shows_nothing_is_text() -> None:
    forecast, request = Forecast(), _request({"metadata": "image_url"})
    _learn(forecast, msgspec.structs.replace(request, needs=frozenset((Ability.VISION,))), usage=a_usage(10, 10))

    assert 0.25 != forecast.rates(_MODEL, _PLAIN)[0]


def test_requests_in_turns_are_not_taken_for_each_other() -> None:
    """What was found in one is remembered for the next model that is asked about it."""
    forecast = Forecast()
    small, large = (
        _request(_with_images("https://a.example")),
        _request(_with_images("https://a.example"), prompt="x" * 999),
    )
    expected = [forecast.expect(each, _MODEL, kind=_PLAIN).input for each in (small, large)]

    assert expected == [forecast.expect(each, _MODEL, kind=_PLAIN).input for each in (small, large)]
    assert expected == [forecast.expect(each, _OTHER, kind=_PLAIN).input for each in (small, large)]
    assert expected[0] < expected[1]


@pytest.mark.parametrize(
    ("kind", "tokens"),
    [("plain", 300), ("tools", 300), ("effort=none", 300), ("effort=high", 1_500), ("reasoning", 1_500)],
)
def test_an_answer_is_expected_to_have_300_tokens_or_1500_with_thinking(kind: str, tokens: int) -> None:
    expected = Forecast().expect(a_request(), _MODEL, kind=Kind(kind))

    assert (tokens, 16_384) == (expected.output, expected.most)
    assert expected.low < expected.output < expected.high


def test_the_answer_is_bounded_by_the_caller_s_limit() -> None:
    expected = Forecast().expect(a_request(max_output=100), _MODEL, kind=_PLAIN)

    assert (100, 100) == (expected.high, expected.most)
    assert 80 < expected.output < 100


def test_every_choice_is_an_answer() -> None:
    one, three = (Forecast().expect(a_request(max_output=100, choices=n), _MODEL, kind=_PLAIN) for n in (1, 3))

    assert Expected(one.input, 3 * one.output, 3 * one.low, 3 * one.high, 3 * one.most) == three


@pytest.mark.parametrize("limit", [0, -1])
def test_senseless_limits_make_no_answer_negative(limit: int) -> None:
    """The upstream will refuse them; until then they must not make an offer look cheap."""
    expected = Forecast().expect(a_request(max_output=limit), _MODEL, kind=_PLAIN)

    assert Expected(expected.input, 0, 0, 0, 0) == expected


@pytest.mark.parametrize("choices", [0, -3])
def test_senseless_choices_are_one(choices: int) -> None:
    forecast = Forecast()

    assert forecast.expect(a_request(), _MODEL, kind=_PLAIN) == forecast.expect(
        a_request(choices=choices), _MODEL, kind=_PLAIN
    )


@given(limit=_LIMITS, choices=_COUNTS, tokens=st.lists(st.tuples(_COUNTS, _COUNTS), max_size=5))
def test_whatever_callers_ask_for_and_upstreams_report_the_numbers_stand_in_order(
    limit: int | None, choices: int, tokens: list[tuple[int, int]]
) -> None:
    """Either may be as large as JSON allows, which no float can hold."""
    forecast = Forecast()
    request = a_request(max_output=limit, choices=choices)
    for tokens_in, tokens_out in tokens:
        _learn(forecast, request, usage=a_usage(tokens_in, tokens_out))
    expected = forecast.expect(request, _MODEL, kind=_PLAIN)

    assert 0 <= expected.low <= expected.output <= expected.high <= expected.most <= 10**25
    assert 0 < expected.input


def test_how_much_a_model_writes_is_learnt_for_each_kind_of_call() -> None:
    forecast = Forecast()
    for _ in range(50):
        _learn(forecast, a_request(), usage=a_usage(10, 2_000))
        _learn(forecast, a_request(), usage=a_usage(10, 50), kind=_TOOLS)

    assert 2_000 == pytest.approx(forecast.expect(a_request(), _MODEL, kind=_PLAIN).output, rel=0.2)
    assert 50 == pytest.approx(forecast.expect(a_request(), _MODEL, kind=_TOOLS).output, abs=50)


def test_a_model_begins_with_what_others_do_for_that_kind() -> None:
    forecast = Forecast()
    for _ in range(50):
        _learn(forecast, a_request(), usage=a_usage(10, 2_000), model=_OTHER)

    assert 1_700 < forecast.expect(a_request(), _MODEL, kind=_PLAIN).output < 2_000
    assert 300 == forecast.expect(a_request(), _MODEL, kind=_TOOLS).output
    _learn(forecast, a_request(), usage=a_usage(10, 1_000))
    assert 1_500 < forecast.expect(a_request(), _MODEL, kind=_PLAIN).output < 2_000


def test_reasoning_is_output_and_choices_share_it() -> None:
    one, two = Forecast(), Forecast()
    _learn(one, a_request(), usage=a_usage(10, 400, reasoning=600))
    _learn(two, a_request(choices=2), usage=a_usage(10, 2_000))

    assert one.rates(_MODEL, _PLAIN)[1] == two.rates(_MODEL, _PLAIN)[1] > 300


def test_answers_that_hit_the_caller_s_limit_do_not_make_answers_look_short() -> None:
    forecast = Forecast()
    for _ in range(200):
        _learn(forecast, a_request(max_output=16), usage=a_usage(10, 16))

    assert 300 <= forecast.rates(_MODEL, _PLAIN)[1] < 400


def test_answers_that_stay_below_the_limit_count_in_full() -> None:
    forecast = Forecast()
    for _ in range(200):
        _learn(forecast, a_request(max_output=500), usage=a_usage(10, 16))

    assert forecast.rates(_MODEL, _PLAIN)[1] < 60


def test_rates_are_what_a_call_without_a_limit_is_expected_to_take() -> None:
    forecast, request = Forecast(), a_request(prompt="word " * 800)
    for usage in (a_usage(500, 100), a_usage(900, 200)):
        per_byte, answer = forecast.rates(_MODEL, _PLAIN)
        expected = forecast.expect(request, _MODEL, kind=_PLAIN)

        assert (round(per_byte * request.body.size), round(answer)) == (expected.input, expected.output)
        _learn(forecast, request, usage=usage)


def test_each_lesson_raises_the_version() -> None:
    forecast = Forecast()
    _learn(forecast, a_request(), usage=a_usage())
    _learn(forecast, a_request(), usage=a_usage(0, 0))

    assert 2 == forecast.version


def test_what_was_learnt_is_still_known_after_a_restart() -> None:
    before, after = Forecast(), Forecast()
    image = _request(_with_images("https://example.org/cat.png"))
    for usage in (a_usage(500, 100), a_usage(900, 200)):
        _learn(before, a_request(), usage=usage)
        _learn(before, image, usage=usage, model=_OTHER)
        _learn(before, a_request(), usage=usage, kind=_TOOLS)
    text = msgspec.json.encode(before.snapshot())
    after.restore(msgspec.json.decode(text, type=ForecastSnapshot))

    assert before.snapshot() == after.snapshot()
    assert after.version > 0
    for request in (a_request(), image):
        for model in (_MODEL, _OTHER, ModelId("third")):
            for kind in (_PLAIN, _TOOLS):
                assert before.expect(request, model, kind=kind) == after.expect(request, model, kind=kind)


def test_kinds_that_there_are_no_more_are_left_out() -> None:
    before, after = Forecast(), Forecast()
    _learn(before, a_request(), usage=a_usage(10, 2_000))
    snapshot = before.snapshot()
    old = Kind("of another age")
    after.restore(
        ForecastSnapshot(
            kinds={**snapshot.kinds, old: snapshot.kinds[_PLAIN]}, models={_MODEL: {old: snapshot.kinds[_PLAIN]}}
        )
    )

    assert snapshot.kinds == after.snapshot().kinds
    assert {} == after.snapshot().models


def test_an_empty_snapshot_is_one_too() -> None:
    forecast = Forecast()
    forecast.restore(msgspec.json.decode(b"{}", type=ForecastSnapshot))

    assert Forecast().snapshot() == forecast.snapshot()


def test_models_that_were_not_used_for_long_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MODELS", 2)
    forecast = Forecast()
    for name in ("a", "b", "a", "c"):
        _learn(forecast, a_request(), usage=a_usage(10, 1_000), model=ModelId(name))
        _learn(forecast, _request(_with_images("https://a.example")), usage=a_usage(999, 9), model=ModelId(name))
    snapshot = forecast.snapshot()

    assert [{"a", "c"}] * 3 == [set(snapshot.text), set(snapshot.images), set(snapshot.models)]


def test_of_what_is_well_known_only_every_seventh_call_is_learnt_from() -> None:
    """It costs as much as to decide, and one call in hundreds moves nothing; still, a change is noticed."""
    forecast = Forecast()
    for _ in range(300):
        _learn(forecast, a_request(), usage=a_usage(10, 500))
    before = forecast.version

    for _ in range(70):
        _learn(forecast, a_request(), usage=a_usage(10, 500))
    assert 10 == forecast.version - before
    for _ in range(1_400):
        _learn(forecast, a_request(), usage=a_usage(10, 2_000))
    assert 1_700 < forecast.expect(a_request(), _MODEL, kind=_PLAIN).output < 2_000


def _learn(forecast: Forecast, request: Request, *, usage: Usage, model: ModelId = _MODEL, kind: Kind = _PLAIN) -> None:
    forecast.learn(request, model, kind=kind, usage=usage)


def _request(keys: dict[str, object], *, prompt: str = "Hello") -> Request:
    body = msgspec.json.decode(a_body(prompt=prompt), type=dict[str, object])
    messages = [
        *msgspec.convert(body["messages"], list[object]),
        *msgspec.convert(keys.get("messages", []), list[object]),
    ]
    return OpenAIChat().parse(msgspec.json.encode({**body, **keys, "messages": messages}))


def _with_images(*urls: str) -> dict[str, object]:
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return {"messages": [{"role": "user", "content": parts}]}
