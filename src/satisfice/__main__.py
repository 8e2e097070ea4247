"""`python -m satisfice`: the same as the command `satisfice`."""

from __future__ import annotations

from satisfice.cli.main import main

main()
