"""What error bodies complain of: for every case of the corpus, for shapes of every kind, and for any bytes at all."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.attempt.complaint import Complaint, read_complaint
from satisfice.attempt.outcome import Fault
from tests.attempt.errors import Case, errors, shown

_LIMIT = "This model's maximum context length is 8192 tokens."


@pytest.mark.parametrize("case", [case for case in errors() if case.fault is Fault.CONTEXT], ids=shown)
def test_a_prompt_that_is_too_long_is_recognised(case: Case) -> None:
    complaint = read_complaint(case.body)

    assert (True, case.context) == (complaint.is_too_long, complaint.context)
    assert (False, None) == (complaint.is_beyond, complaint.lacks)


@pytest.mark.parametrize("case", [case for case in errors() if case.lacks is not None], ids=shown)
def test_a_lack_is_recognised(case: Case) -> None:
    complaint = read_complaint(case.body)

    assert (True, case.lacks) == (complaint.is_beyond, complaint.lacks)
    assert (False, None) == (complaint.is_too_long, complaint.context)


@pytest.mark.parametrize("case", [case for case in errors() if case.fault is Fault.CALLER], ids=shown)
def test_a_mistake_of_the_caller_is_taken_for_neither(case: Case) -> None:
    complaint = read_complaint(case.body)

    assert not complaint.is_too_long
    assert not complaint.is_beyond


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"error":{"message":"Overloaded","code":"busy"}}', "Overloaded"),
        ('{"error":"Overloaded"}', "Overloaded"),
        ('[{"error":{"message":"Overloaded","status":"UNAVAILABLE"}}]', "Overloaded"),
        ('{"object":"error","message":"Overloaded","code":503}', "Overloaded"),
        ('{"detail":"Overloaded"}', "Overloaded"),
        ('{"error":{"message":"Overloaded","code":[1],"type":2,"param":["a"],"metadata":"x"}}', "Overloaded"),
        ('{"error":{"message":"Overloaded","type":null,"param":null,"metadata":null}}', "Overloaded"),
        ('{"error":{"message":"%s"}}' % ("x" * 9_999), "x" * 300),
        ('{"error":{"message":""}}', None),
        ('{"error":{"message":["Overloaded"]}}', None),
        ('{"error":null}', None),
        ('{"error":{}}', None),
        ("{}", None),
        ("[]", None),
        ("[{}]", None),
        ("", None),
        ("<html>502 Bad Gateway</html>", None),
        ('{"error":{"message":"\xff', None),
        ("[" * 100_000, None),
    ],
    ids=range(19),
)
def test_what_was_said_is_read_in_whatever_shape_it_comes(body: str, message: str | None) -> None:
    assert message == read_complaint(body.encode("latin-1")).message


@pytest.mark.parametrize(
    ("code", "read"), [('"busy"', "busy"), ("503", None), ("null", None), ("[]", None), ('"\xff"', None)]
)
def test_a_code_is_a_word(code: str, read: str | None) -> None:
    assert read == read_complaint(b'{"error":{"message":"x","code":%b}}' % code.encode("latin-1")).code


@pytest.mark.parametrize("window", ["-1", "0", "null", '"8192"', "1e3", "[]"])
def test_a_window_that_is_no_number_of_tokens_is_not_learnt(window: str) -> None:
    body = b'{"error":{"message":"no","type":"exceed_context_size_error","n_ctx":%b}}' % window.encode()

    assert Complaint("no", is_too_long=True) == read_complaint(body)


def test_the_field_is_believed_before_the_sentence() -> None:
    """llama.cpp counts a window for each of its slots; both are right, and the field is meant for programs."""
    body = msgspec.json.encode({"error": {"message": _LIMIT, "n_ctx": 4096}})

    assert 4096 == read_complaint(body).context


def test_a_field_that_tells_of_no_limit_is_nothing_to_learn() -> None:
    assert Complaint("Overloaded") == read_complaint(b'{"error":{"message":"Overloaded","n_ctx":4096}}')


def test_a_prompt_that_is_too_long_says_nothing_of_abilities() -> None:
    """One error has one reason, and the shorter prompt may be without the image that is complained of besides."""
    body = msgspec.json.encode({"error": {"message": f"{_LIMIT} Besides, the model does not support images."}})
    complaint = read_complaint(body)

    assert (True, False, None) == (complaint.is_too_long, complaint.is_beyond, complaint.lacks)


@pytest.mark.parametrize(
    "quote",
    ["input_value='{}'", "'input': '{}'", '"input": "{}"', "Request body was: {}", "2 validation errors for {}"],
)
def test_what_an_error_quotes_of_the_caller_s_proves_nothing(quote: str) -> None:
    """Else a caller could teach the gateway that an offer has a window of ten tokens, and spoil it for all others."""
    body = msgspec.json.encode({"error": {"message": "Wrong type: " + quote.format(_LIMIT)}})

    assert not read_complaint(body).is_too_long


def test_what_stands_before_a_quote_is_believed() -> None:
    body = msgspec.json.encode({"error": {"message": f"{_LIMIT} Request body was: …"}})

    assert 8192 == read_complaint(body).context


_SENTENCES = st.sampled_from([_LIMIT, "does not support tools", "No endpoints found that support", "n_ctx", "\n", "'"])
_MEMBERS = st.dictionaries(
    st.sampled_from(["error", "message", "code", "type", "param", "metadata", "raw", "n_ctx", "detail"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | _SENTENCES,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["message", "raw"]), inner),
        max_leaves=3,
    ),
)


@given(st.binary(max_size=60) | _MEMBERS.map(msgspec.json.encode) | st.lists(_MEMBERS).map(msgspec.json.encode))
def test_any_body_can_be_read(body: bytes) -> None:
    complaint = read_complaint(body)

    assert complaint.context is None or complaint.is_too_long
    assert complaint.lacks is None or complaint.is_beyond
    assert not (complaint.is_too_long and complaint.is_beyond)
