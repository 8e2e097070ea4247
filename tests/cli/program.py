"""The real program as a process of its own: what it prints as it prints it, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import IO, Self

__all__ = ["Program"]

_PATIENCE = 30.0
_NO_VARIABLES: Mapping[str, str] = MappingProxyType({})


class Program:
    """`with Program("serve", folder=…) as program`; whatever still runs at the end is killed."""

    def __init__(
        self,
        *arguments: str,
        folder: Path,
        env: Mapping[str, str] = _NO_VARIABLES,
        python: Sequence[str] = (sys.executable, "-m", "satisfice"),
    ) -> None:
        """Nothing runs yet; `folder` is its home and working directory, `env` joins an otherwise bare environment."""
        self._command = (*python, *arguments)
        self._folder = folder
        self._env = {"PATH": os.environ["PATH"], "HOME": str(folder), **env}
        self._said = {"stdout": "", "stderr": ""}
        self._news = threading.Condition()
        self._open = 2

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            cwd=self._folder,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        streams = {"stdout": self._process.stdout, "stderr": self._process.stderr}
        self._readers = [threading.Thread(target=self._read, args=each) for each in streams.items()]
        for reader in self._readers:
            reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for reader in self._readers:
            reader.join()

    @property
    def stdout(self) -> str:
        """What it has printed there so far."""
        return self._said["stdout"]

    @property
    def stderr(self) -> str:
        """What it has printed there so far."""
        return self._said["stderr"]

    def says(self, pattern: str) -> re.Match[str]:
        """Wait until it has printed this on either stream."""

        def found() -> re.Match[str] | None:
            return re.search(pattern, self.stdout) or re.search(pattern, self.stderr)

        with self._news:
            self._news.wait_for(lambda: found() or not self._open, _PATIENCE)
            match = found()
        assert match is not None, f"never said {pattern!r}:\n{self.stdout}\n{self.stderr}"
        return match

    def url(self) -> str:
        """Where it listens, once it does."""
        return self.says(r"http://127\.0\.0\.1:\d+")[0]

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def end(self) -> int:
        """Its exit code, once it has stopped of itself and all it printed is here."""
        code = self._process.wait(_PATIENCE)
        for reader in self._readers:
            reader.join(_PATIENCE)
        return code

    def stop(self) -> int:
        """Ask it to stop; its exit code."""
        self.send(signal.SIGTERM)
        return self.end()

    def _read(self, name: str, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                with self._news:
                    self._said[name] += line
                    self._news.notify_all()
        with self._news:
            self._open -= 1
            self._news.notify_all()
