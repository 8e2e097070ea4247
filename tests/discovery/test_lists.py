"""Lists over HTTP, whole or odd, and what is no list."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from satisfice.core.errors import Break, Broken
from satisfice.discovery.lists import Fetched, fetch_list, showable, unix_ms
from satisfice.ports import Endpoint, Sending
from satisfice.transport.script import Script
from satisfice.transport.scripted import Ending
from tests.discovery.answers import Answers, an_answer

_ENDPOINT = Endpoint(provider="acme", url="https://acme.example")


async def _fetch(answers: Answers) -> Fetched:
    return await fetch_list(answers, _ENDPOINT, path="/list?all=1", member="data", of="things")


async def _elements(body: str | bytes) -> list[bytes]:
    return [bytes(element) for element in (await _fetch(Answers(an_answer(body)))).elements]


async def test_the_elements_come_as_they_are() -> None:
    answers = Answers(an_answer('{"object":"list","data":[{"id": 1.50}, "two",null]}'))

    found = await _fetch(answers)

    assert [b'{"id": 1.50}', b'"two"', b"null"] == [bytes(element) for element in found.elements]
    assert [(_ENDPOINT, Sending("/list?all=1", b"", method="GET"))] == answers.asked
    assert [Ending.ENDED] == answers.endings


@pytest.mark.parametrize("body", ["[1,2]", "\n [1,2]", '{"data":[1,2]}', '{"more":{"data":[]},"data":[1,2]}'])
async def test_a_list_may_stand_by_itself(body: str) -> None:
    assert [b"1", b"2"] == await _elements(body)


@pytest.mark.parametrize("body", ["[]", '{"data":[]}'])
async def test_an_empty_list_is_an_answer(body: str) -> None:
    assert [] == await _elements(body)


async def test_text_that_is_none_stays_with_its_element() -> None:
    assert [b'"\xff"', b"1e999999"] == await _elements(b'{"data":["\xff",1e999999]}')


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
async def test_what_is_no_number_in_json_is_nothing(number: str) -> None:
    """Python's own encoder writes it, so some servers send it."""
    assert [b'{"price":null}', b'{"price":0.5}'] == await _elements(
        f'{{"data":[{{"price":{number}}},{{"price":0.5}}]}}'
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{}",
        b'"data"',
        b'{"data":{}}',
        b'{"data":null}',
        b'{"data":[1,]}',
        b'{"data":[\xff]}',
        b'{"data":[NaN,"\\ud800"]}',
        b'{"data":[NaN,' + b"9" * 5_000 + b"]}",
        b'{"data":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    ],
    ids=lambda body: body[:20].decode(errors="replace"),
)
async def test_what_is_no_list_is_news(body: bytes) -> None:
    with pytest.raises(Broken, match=r"GET /list was not answered with a list of things") as news:
        await _elements(body)

    assert Break.MALFORMED is news.value.kind


async def test_a_list_without_end_is_news() -> None:
    """Whoever sends it could keep the gateway busy with nothing else."""
    with pytest.raises(Broken, match=r"larger than the limit: GET /list was answered with 10,001 things"):
        await _elements("[" + "1," * 10_000 + "1]")

    assert 10_000 == len(await _elements("[" + "1," * 9_999 + "1]"))


async def test_an_error_is_news_with_its_status() -> None:
    answers = Answers(Script().head(401).body('{"error":"no key"}'))

    with pytest.raises(Broken, match="GET /list was answered with status 401"):
        await _fetch(answers)

    assert [Ending.ENDED] == answers.endings


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (Script().refuse(), Break.REFUSED),
        (Script().stall(), Break.FIRST_BYTE_TIMEOUT),
        (Script().head(200).body("{").stall(), Break.IDLE_TIMEOUT),
        (Script().head(200).body("{").cut(), Break.CUT),
        (Script().head(200).raw(b" " * 65_536).repeat(256), Break.TOO_LARGE),
    ],
    ids=lambda value: value.name if isinstance(value, Break) else "",
)
async def test_no_answer_is_news(script: Script, kind: Break) -> None:
    with pytest.raises(Broken) as news:
        await _fetch(Answers(script))

    assert kind is news.value.kind


@pytest.mark.parametrize(
    ("headers", "date"),
    [
        ({"date": "Tue, 25 Nov 2025 12:00:00 GMT"}, 1_764_072_000_000),
        ({"date": "Tue, 25 Nov 2025 12:00:00 -0000"}, 1_764_072_000_000),
        ({"date": "yesterday"}, None),
        ({}, None),
    ],
)
async def test_an_answer_may_say_when_it_was_made(headers: dict[str, str], date: int | None) -> None:
    assert date == (await _fetch(Answers(an_answer("[]", headers)))).date_ms


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("gpt-4o", "gpt-4o"),
        ("a b", "a b"),
        ("", "''"),
        (" a", "' a'"),
        ("a\x1b[2J", r"'a\x1b[2J'"),
        ("modèle", r"'mod\xe8le'"),
        ("x" * 200, "x" * 200),
        ("x" * 201, "x" * 200 + "…"),
    ],
)
def test_what_others_wrote_can_be_shown(text: str, shown: str) -> None:
    assert shown == showable(text)


def test_a_time_without_a_zone_is_in_utc() -> None:
    here = datetime(2025, 11, 25, 12, tzinfo=timezone(timedelta(hours=2)))

    assert 1_764_072_000_000 == unix_ms(datetime(2025, 11, 25, 12, tzinfo=UTC))
    assert 1_764_072_000_000 == unix_ms(datetime(2025, 11, 25, 12, tzinfo=UTC).replace(tzinfo=None))
    assert 1_764_064_800_000 == unix_ms(here)
