# Two commands do all set-up: `make demo` and `make test`. Each makes .venv and fills it from pinned, hashed files first.

# Any Python from 3.11 on; `make test PYTHON=python3.13` chooses another one for a fresh .venv.
PYTHON ?= python3
PYTHONS := python3.13 python3.12 python3.11 python
UV ?= uv

VENV := .venv
BIN := $(VENV)/bin
AGENT := $(BIN)/polymarket-agent
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip --quiet
BASE := $(VENV)/.base-installed
DEV := $(VENV)/.dev-installed

DEMO := $(AGENT) demo
BENCH := $(BIN)/python -m benchmarks
TEST_WORKERS := 2

.DEFAULT_GOAL := help
.PHONY: help demo test lint format bench ratchet lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

demo: $(BASE) ## Trade live on a local exchange, through faults and a kill -9, and compare the books
	$(DEMO)

test: lint ## Run every check that CI runs: lint, then the tests
	$(BIN)/python -m pytest --numprocesses=$(TEST_WORKERS) --dist=loadfile

lint: $(DEV) ## Check style, format, types and import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(DEV) ## Mend what the linter and the formatter can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(DEV) ## Measure the hot paths
	$(BENCH)

ratchet: $(DEV) ## Lower the recorded length exceptions to what the tree has now
	$(BIN)/python -m tests.style.ratchet --shrink

lock: ## Resolve requirements/*.txt anew from pyproject.toml (needs uv)
	@command -v $(UV) >/dev/null || { echo "make lock needs uv: pip install uv, or make lock UV=/where/it/is" >&2; exit 1; }
	$(LOCK) pyproject.toml --extra data --extra sandbox --extra live --group build --output-file requirements/base.txt
	$(LOCK) --group dev --constraint requirements/base.txt --output-file requirements/dev.txt

# No --upgrade: what is pinned stays while pyproject.toml allows it. `make lock UPGRADE=--upgrade` takes the newest.
LOCK = UV_CUSTOM_COMPILE_COMMAND="make lock" $(UV) pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-annotate $(UPGRADE)

clean: ## Remove the environment, caches and what runs left behind
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist runs
	find src tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# The first of PYTHON and PYTHONS that starts and is new enough makes the environment.
$(BIN)/python:
	@for candidate in $(PYTHON) $(PYTHONS); do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "making $(VENV) with $$candidate ($$("$$candidate" -V))"; \
	    "$$candidate" -m venv --clear $(VENV) && exit 0; \
	    echo "$$candidate cannot make a virtual environment; install its venv module (Debian: python3-venv)" >&2; \
	    rm -rf $(VENV); exit 1; \
	  fi; \
	done; \
	echo "polymarket-agent needs Python 3.11 or newer; none of these is: $(PYTHON) $(PYTHONS)." >&2; \
	echo "Install one, or name it: make test PYTHON=/path/to/python3.11" >&2; exit 1

# Wheels only: building a source package would run code that no hash here covers.
$(BASE): requirements/base.txt pyproject.toml | $(BIN)/python
	$(PIP) install --require-hashes --only-binary :all: -r requirements/base.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): requirements/dev.txt $(BASE)
	$(PIP) install --require-hashes --only-binary :all: -r requirements/dev.txt
	@touch $@
