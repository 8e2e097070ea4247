"""How Sphinx builds these pages."""

import re
from pathlib import Path

_package = Path(__file__).parents[1] / "src/satisfice/__init__.py"

project = "Satisfice"
author = "The Satisfice authors"
copyright = f"2026 {author}"
release = re.findall(r'^__version__ = "(.+)"', _package.read_text("utf-8"), re.MULTILINE)[0]

extensions = ["myst_parser"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"Satisfice {release}"
