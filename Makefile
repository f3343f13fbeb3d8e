# make run: a working club. make test: every test. Both prepare everything by themselves (Python 3.11 to 3.14, pip, make).
#
#   PYTHON=…   the interpreter to build the environment with (default: the first that is new enough)
#   ARGS=…     more arguments for pytest:  make test ARGS="tests/domain -k pricing"

SHELL := /bin/sh
.SHELLFLAGS := -ec
.DEFAULT_GOAL := help

# The caller's own environment must not leak into ours.
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME PYTHONSTARTUP PIP_USER PIP_TARGET PIP_PREFIX PIP_REQUIRE_VIRTUALENV

NEW_ENOUGH := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))
PYTHON ?= $(shell for name in python3 python python3.14 python3.13 python3.12 python3.11; do \
	$$name -c '$(NEW_ENOUGH)' >/dev/null 2>&1 && echo $$name && break; done)
BIN := .venv/bin

.PHONY: run test lint types infra bench lock schema clean help environment environment-run page

run: environment-run ## Run everything on http://127.0.0.1:8000 (PORT, HOST, COURTSIDE_HOME)
	@$(PYTHON) ops/page.py build
	@exec $(BIN)/courtside up --with-parent

test: page ## Run every test (ARGS=… for pytest)
	@$(PYTHON) ops/page.py test
	@exec $(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

lint: environment ## Style, formatting and import contracts, of the page too
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(PYTHON) ops/page.py lint

types: environment ## Types (mypy strict, tsc strict)
	$(BIN)/mypy
	$(PYTHON) ops/page.py types

infra: environment ## Check Dockerfile, Compose files, AWS template and workflows
	@exec $(BIN)/python ops/infra.py

bench: environment ## Benchmarks: a table, and JSON in bench-results/
	@exec $(BIN)/python -m tests.bench $(ARGS)

lock: environment ## Renew requirements/*.txt after a change of pyproject.toml (UPGRADE=--upgrade for newer releases)
	$(BIN)/python ops/lock.py $(UPGRADE)

schema: page ## Renew the page's types after a change of the API
	$(BIN)/python ops/schema.py

clean: ## Remove the environment, the built page and caches; the data in .courtside stays
	rm -rf .venv .venv-infra .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage htmlcov *.egg-info \
		web/node_modules server/page tests/e2e/browser/node_modules
	find server tests migrations -name __pycache__ -type d -exec rm -rf {} +

help: ## Show this
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile

environment-run:
	@$(if $(PYTHON),,echo "Courtside needs Python 3.11 to 3.14; install one, or set PYTHON=/path/to/python." >&2; exit 1)
	@$(PYTHON) ops/environment.py run

environment:
	@$(if $(PYTHON),,echo "Courtside needs Python 3.11 to 3.14; install one, or set PYTHON=/path/to/python." >&2; exit 1)
	@$(PYTHON) ops/environment.py dev

page: environment
	@$(PYTHON) ops/page.py tools
	@$(PYTHON) ops/chromium.py
