"""Answers of the gateway's own, whole and with their length."""

from __future__ import annotations

from satisfice.server.downstream import ASGIDownstream, Message
from satisfice.server.reply import reply_json, reply_text


class _Server:
    """The two ends that an ASGI server gives."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.downstream = ASGIDownstream(self._receive, self._send)

    async def _receive(self) -> Message:
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        self.sent.append(message)


async def test_a_value_is_sent_as_json_with_its_length() -> None:
    server = _Server()

    await reply_json(server.downstream, {"ü": None}, status=503)

    assert [
        {
            "type": "http.response.start",
            "status": 503,
            "headers": [(b"content-type", b"application/json"), (b"content-length", b"11")],
        },
        {"type": "http.response.body", "body": '{"ü":null}'.encode()},
    ] == server.sent


async def test_text_is_sent_as_it_is() -> None:
    server = _Server()

    await reply_text(server.downstream, b"hello\n")

    assert [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"6")] == server.sent[0]["headers"]
    assert (200, b"hello\n") == (server.sent[0]["status"], server.sent[1]["body"])
