"""Which quotes of a market feed are taken, and why the others aren't."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.catalog.listing import Quote, Quotes, Refused
from satisfice.core.amounts import Rate
from satisfice.core.clock import ManualClock
from satisfice.core.errors import Broken
from satisfice.core.secrets import Secret
from satisfice.discovery.market import MarketSource
from satisfice.ports import Endpoint, QuoteSource
from satisfice.transport.script import Script
from tests.discovery.answers import Answers, an_answer

_CLOCK = ManualClock()
_NOW = _CLOCK.unix_ms()
_THEN = datetime.fromtimestamp(_NOW / 1_000, UTC)
_FEED = "https://feed.example/api/quotes?limit=2000"
_URL = "https://acme.example/v1"
_ACME = Endpoint(provider="acme", url=_URL, key=Secret("sk-acme"))


def _listed(**changes: object) -> dict[str, object]:
    """A quote as https://github.com/johnzilla/tokenstats lists it, changed; what is None is left out."""
    quote: dict[str, object] = {
        "source": "routstr",
        "provider": "Acme Inc.",
        "provider_id": "acme-1",
        "model": "m",
        "price_in_sats": 148.4,
        "price_out_sats": 296.9,
        "endpoint": _URL,
        "observed_at": _ago(60.0),
    } | changes
    return {name: value for name, value in quote.items() if value is not None}


def _ago(seconds: float) -> str:
    return (_THEN - timedelta(seconds=seconds)).isoformat()


def _source(answers: Answers, *providers: Endpoint, url: str = _FEED, key: Secret | None = None) -> MarketSource:
    feed = Endpoint(provider="prices", url=url, key=key)
    return MarketSource(answers, feed, providers=providers or (_ACME,), max_age=600.0, period=60.0, clock=_CLOCK)


async def _fetch(*listed: object, providers: tuple[Endpoint, ...] = (), date: str | None = None) -> Quotes:
    headers = {} if date is None else {"date": date}
    answers = Answers(an_answer(msgspec.json.encode(listed), headers), provider="feed:prices")
    return await _source(answers, *providers).fetch()


async def _refusal(**changes: object) -> Refused:
    found = await _fetch(_listed(**changes))
    assert () == found.quotes
    (refused,) = found.refused
    return refused


async def test_a_quote_is_a_price_for_a_while() -> None:
    quote = Quote(
        provider="acme",
        model="m",
        input=Rate(148_400),
        output=Rate(296_900),
        observed_ms=_NOW - 60_000,
        expires_ms=_NOW + 540_000,
    )

    assert Quotes(quotes=(quote,)) == await _fetch(_listed())


async def test_the_feed_is_asked_at_its_own_address_and_gets_no_key() -> None:
    answers = Answers(an_answer('{"quotes":[]}'), provider="feed:prices")

    assert Quotes() == await _source(answers, key=Secret("sk-feed")).fetch()

    ((endpoint, sending),) = answers.asked
    assert ("GET", "https://feed.example", "/api/quotes?limit=2000") == (sending.method, endpoint.url, sending.path)
    assert None is endpoint.key
    assert () == tuple(sending.headers)


@pytest.mark.parametrize(
    ("url", "path"), [("https://a.example", "/"), ("https://a.example/", "/"), ("http://a.example:81/q/", "/q/")]
)
async def test_any_address_of_a_feed_will_do(url: str, path: str) -> None:
    answers = Answers(an_answer("[]"), provider="feed:prices")

    await _source(answers, url=url).fetch()

    assert [path] == [sending.path for sending in answers.sent]


async def test_what_is_no_list_of_quotes_is_news() -> None:
    with pytest.raises(Broken, match="GET /api/quotes was not answered with a list of quotes"):
        await _source(Answers(an_answer('{"data":[]}'), provider="feed:prices")).fetch()


def test_a_feed_is_called_by_its_name_and_looked_at_in_its_own_time() -> None:
    source: QuoteSource = _source(Answers(Script()))

    assert ("prices", 60.0) == (source.name, source.period)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"price_in_sats": None}, "has no price of input"),
        ({"price_out_sats": None}, "has no price of output"),
        ({"price_in_sats": -1}, "has a price of input below nothing"),
        ({"price_in_sats": "NaN"}, "has a price of input that is no number"),
        ({"price_out_sats": "Infinity"}, "has a price of output that is no number"),
        ({"price_out_sats": 10_000_000_001}, "has a price of output beyond all reason"),
        ({"price_in_sats": 0}, "has a price of 0, which only its provider can promise"),
        ({"price_out_sats": 0.0}, "has a price of 0, which only its provider can promise"),
        ({"observed_at": _ago(600.0)}, "is older than 600 s"),
        ({"observed_at": _ago(1e6)}, "is older than 600 s"),
        ({"observed_at": 0}, "is older than 600 s"),
        ({"observed_at": _ago(-600.1)}, "is dated in the future"),
        ({"observed_at": 10**40}, "is dated in the future"),
        ({"observed_at": "lately"}, "has a time that can't be read"),
        ({"observed_at": ""}, "has a time that can't be read"),
        ({"endpoint": None}, "has no address"),
    ],
    ids=str,
)
async def test_a_quote_without_a_price_an_age_or_an_address_is_refused(changes: dict[str, object], why: str) -> None:
    assert Refused("m", why) == await _refusal(**changes)


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        ("https://other.example/v1", "is no address of a configured provider"),
        ("https://acme.example:444/v1", "is no address of a configured provider"),
        ("https://acme.example/v2", "is no address of a configured provider"),
        ("https://acme.example.evil.example/v1", "is no address of a configured provider"),
        ("http://acme.example/v1", "is plain http, and the provider is configured by https"),
        ("http://acme.example:443/v1", "is plain http, and the provider is configured by https"),
        ("http://other.example/v1", "is plain http, at an address that the configuration does not name"),
        ("https://me:pass@acme.example/v1", "is no address of an API"),
        ("https://acme.example/v1?key=1", "is no address of an API"),
        ("https://acme.example:port/v1", "is no address of an API"),
        ("https://acme..example/v1", "is no address of an API"),
        ("ftp://acme.example/v1", "is no address of an API"),
        ("acme.example", "is no address of an API"),
        ("https://", "is no address of an API"),
        ("", "is no address of an API"),
    ],
)
async def test_a_quote_for_an_address_that_the_operator_has_not_written_is_refused(endpoint: str, why: str) -> None:
    assert Refused(endpoint or "''", why) == await _refusal(endpoint=endpoint)


async def test_an_address_is_told_once_however_many_quotes_it_has() -> None:
    other = [_listed(endpoint="https://other.example", model=f"m{number}") for number in range(100)]

    assert 1 == len((await _fetch(*other)).refused)


@pytest.mark.parametrize(
    ("configured", "quoted"),
    [
        (_URL, "https://acme.example"),
        (_URL, "https://acme.example/v1/"),
        (_URL, "HTTPS://ACME.example.:443/v1"),
        ("https://acme.example", _URL),
        ("https://acme.example/api", "https://acme.example/api/v1"),
        ("https://bücher.example/v1", "https://xn--bcher-kva.example"),
        ("http://127.0.0.1:8080/v1", "http://127.0.0.1:8080"),
        ("http://[::1]:80/v1", "http://[::1]/v1"),
        ("http://abc.onion/v1", "http://abc.onion/v1"),
    ],
)
async def test_an_address_may_be_written_in_several_ways(configured: str, quoted: str) -> None:
    """One by plain http is taken if the operator has written it so himself."""
    acme = Endpoint(provider="acme", url=configured)

    found = await _fetch(_listed(endpoint=quoted), providers=(acme,))

    assert ["acme"] == [quote.provider for quote in found.quotes]


async def test_a_quote_is_for_all_providers_at_its_address() -> None:
    """Somebody may have two accounts there. One whose address can't be read is at none."""
    providers = (
        _ACME,
        Endpoint(provider="bell", url="https://acme.example"),
        Endpoint(provider="core", url="script://"),
    )

    found = await _fetch(_listed(), providers=providers)

    assert ["acme", "bell"] == [quote.provider for quote in found.quotes]


@pytest.mark.parametrize("model", ["auto", "*", "a b", "x" * 201])
async def test_what_is_no_name_of_a_model_is_refused(model: str) -> None:
    assert "is no name for a model here" == (await _refusal(model=model)).reason


@pytest.mark.parametrize(
    "entry", [1, None, [], {}, {"model": 1}, _listed(price_in_sats=[]), _listed(observed_at=True)], ids=str
)
async def test_one_odd_entry_spoils_no_other(entry: object) -> None:
    found = await _fetch(entry, _listed())

    assert ["m"] == [quote.model for quote in found.quotes]
    assert (Refused("entry 1", "can't be read"),) == found.refused


@pytest.mark.parametrize(
    "said",
    [
        _ago(60.0),
        _ago(60.0).replace("+00:00", "Z"),
        _ago(60.0).replace("+00:00", ""),
        (_NOW - 60_000) / 1_000,
        _NOW - 60_000,
    ],
    ids=str,
)
async def test_a_time_may_be_written_in_several_ways(said: object) -> None:
    (quote,) = (await _fetch(_listed(observed_at=said))).quotes

    assert (_NOW - 60_000, _NOW + 540_000) == (quote.observed_ms, quote.expires_ms)


async def test_a_clock_that_is_a_little_fast_makes_no_quote_live_longer() -> None:
    (quote,) = (await _fetch(_listed(observed_at=_ago(-5.0)))).quotes

    assert (_NOW, _NOW + 600_000) == (quote.observed_ms, quote.expires_ms)


@pytest.mark.parametrize(
    ("date", "observed"),
    [
        (None, _NOW),
        ("?", _NOW),
        (format(_THEN - timedelta(seconds=100), "%a, %d %b %Y %H:%M:%S GMT"), _NOW - 100_000),
        (format(_THEN + timedelta(seconds=100), "%a, %d %b %Y %H:%M:%S GMT"), _NOW),
    ],
)
async def test_a_quote_without_a_time_was_seen_when_the_feed_was_sent(date: str | None, observed: int) -> None:
    found = await _fetch(_listed(observed_at=None), _listed(), date=date)

    assert observed == found.quotes[0].observed_ms
    assert 1 == found.undated


async def test_old_quotes_of_a_feed_that_was_stored_on_the_way_are_refused() -> None:
    date = format(_THEN - timedelta(seconds=700), "%a, %d %b %Y %H:%M:%S GMT")

    found = await _fetch(_listed(observed_at=None), date=date)

    assert Quotes(refused=(Refused("m", "is older than 600 s"),)) == found


@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["m", _URL])
            for name in ("model", "endpoint", "price_in_sats", "price_out_sats", "observed_at")
        },
    )
)
async def test_whatever_a_feed_says_is_taken_or_refused(entry: dict[str, object]) -> None:
    found = await _fetch(_listed() | entry)

    assert 1 == len(found.quotes) + len(found.refused)
    assert all(quote.input > 0 < quote.output for quote in found.quotes)
