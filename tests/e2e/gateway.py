"""The gateway as its users run it: a process of its own on loopback, started and stopped by a test."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Self

__all__ = ["Gateway", "Serve", "config"]

_PATIENCE = 20.0
_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)
_NO_VARIABLES: Mapping[str, str] = MappingProxyType({})


class Gateway:
    """`satisfice` with these arguments, on any free port: `with Gateway("demo", folder=…) as gateway`.

    At the end it is told to stop, and has to: soon, with exit code 0 and without a traceback in what it wrote.
    """

    def __init__(self, *arguments: str, folder: Path, env: Mapping[str, str] = _NO_VARIABLES) -> None:
        """Nothing runs yet; `folder` is its home and working directory, `env` joins an otherwise bare environment."""
        port = () if "--port" in arguments else ("--port", "0")
        self._command = (sys.executable, "-m", "satisfice", *arguments, *port)
        self._folder = folder
        self._env = {"PATH": os.environ["PATH"], "HOME": str(folder), **env}
        self._log = folder / "output"
        self.port = 0

    @property
    def url(self) -> str:
        """The base address for OpenAI clients."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def output(self) -> str:
        """What it has written so far, to both its outputs."""
        return self._log.read_text("utf-8")

    @property
    def peak_memory(self) -> int:
        """The most bytes that it has had in memory at any time."""
        found = _PEAK.search(Path(f"/proc/{self._process.pid}/status").read_text("ascii"))
        assert found is not None
        return int(found[1]) << 10

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._await_health()
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.terminate()
        try:
            code = self._process.wait(_PATIENCE)
        finally:
            self._process.kill()
            self._process.wait()
        assert 0 == code, self.output
        assert "Traceback" not in self.output, self.output

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; harmless when it has stopped."""
        self._process.send_signal(number)

    def terminate(self) -> None:
        """Ask it to stop, as a service manager does."""
        self.send(signal.SIGTERM)

    async def ended(self) -> int:
        """Its exit code, once it has stopped of itself."""
        return await asyncio.to_thread(self._process.wait, _PATIENCE)

    def _await_health(self) -> None:
        """It prints its address; from then on it answers sooner or later."""
        until = time.monotonic() + _PATIENCE
        while not (self._find_port() and self._is_healthy()):
            if self._process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"{' '.join(self._command)} isn't ready:\n{self.output}")
            time.sleep(0.01)

    def _find_port(self) -> bool:
        found = _ADDRESS.search(self.output)
        self.port = int(found[1]) if found else 0
        return found is not None

    def _is_healthy(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == http.HTTPStatus.OK
        except ConnectionError:
            return False
        finally:
            connection.close()


Serve = Callable[..., Gateway]
"""Makes a gateway with these settings of the server."""


def config(*providers: Mapping[str, object], server: Mapping[str, object] = MappingProxyType({})) -> str:
    """A configuration file; the values of a provider's `models` are prices of input and output, in msat per Mtok."""
    lines = ["[server]", *_settings(server)]
    for provider in providers:
        models = provider["models"]
        assert isinstance(models, Mapping)
        lines += ["[[providers]]", *_settings({key: provider[key] for key in provider if key != "models"})]
        for model, (input_rate, output_rate) in models.items():
            lines += ["[[providers.models]]", f"id = {json.dumps(model)}"]
            lines += [f"input_msat_per_mtok = {input_rate}", f"output_msat_per_mtok = {output_rate}"]
    return "\n".join(lines) + "\n"


def _settings(table: Mapping[str, object]) -> list[str]:
    """TOML writes numbers and plain strings as JSON does."""
    return [f"{key} = {json.dumps(value)}" for key, value in table.items()]
