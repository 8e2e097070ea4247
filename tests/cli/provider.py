"""A provider on loopback that lists models and answers calls, for tests of the whole program."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Provider", "provider"]

_PATIENCE = 30.0
_USAGE = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}


class Provider(ThreadingHTTPServer):
    """Streams one word, then waits for `more` before it goes on."""

    daemon_threads = True

    def __init__(self, models: tuple[str, ...]) -> None:
        """Listens on a port that the system chose."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.models = models
        self.status = 200
        """Of its answers to calls."""
        self.keys: list[str | None] = []
        """The `Authorization` of each request."""
        self._news = threading.Condition()
        self.more = threading.Event()
        self.is_mute = False
        """It says nothing to who asks for models, before `more`."""

    def note(self, key: str | None) -> None:
        """Somebody has asked."""
        with self._news:
            self.keys.append(key)
            self._news.notify_all()

    def asked(self, times: int) -> None:
        """Wait until it has been asked so often, ever."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.keys) >= times, _PATIENCE), f"asked {len(self.keys)} times"

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.server_address[1]

    @property
    def url(self) -> str:
        """For a gateway's configuration."""
        return f"http://127.0.0.1:{self.port}/v1"


@contextmanager
def provider(*models: str) -> Iterator[Provider]:
    """A provider that sells these."""
    server = Provider(models)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.more.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Provider

    def do_GET(self) -> None:
        self.server.note(self.headers["authorization"])
        if self.server.is_mute:
            self.server.more.wait()
        self._answer(200, {"object": "list", "data": [{"id": model} for model in self.server.models]})

    def do_POST(self) -> None:
        self.server.note(self.headers["authorization"])
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.server.status != 200:
            self._answer(self.server.status, {"error": {"message": f"No. You asked {asked['messages']}."}})
        elif asked.get("stream"):
            self._stream()
        else:
            choice = {"index": 0, "message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}
            self._answer(200, {"object": "chat.completion", "choices": [choice], "usage": _USAGE})

    def _answer(self, status: int, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        with suppress(ConnectionError):  # who asked may have gone
            self.wfile.write(body)

    def _stream(self) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self._event({"choices": [{"index": 0, "delta": {"content": "Yes"}, "finish_reason": None}]})
        self.server.more.wait()
        self._event({"choices": [{"index": 0, "delta": {"content": "."}, "finish_reason": "stop"}]})
        self._event({"choices": [], "usage": _USAGE})
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, value: dict[str, Any]) -> None:
        self.wfile.write(b"data: %b\n\n" % json.dumps(value).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called there
        """Tests are quiet."""
