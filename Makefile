# What is here for: make run (try it), make test (everything that is checked), make demo, make lint,
# make test-clocks (the tests at other days and hours; takes four times as long),
# make screenshots (the pictures in docs/), make bench and make bench-large (the figures in docs/performance.md).

PORT ?= 8000
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
DEPTRY := $(VENV)/bin/deptry --no-ansi
PIP := $(PY) -m pip --disable-pip-version-check --quiet
export PORT

.PHONY: run test test-clocks lint demo screenshots bench bench-large lock install install-dev

run: install
	@exec $(PY) manage.py run

test: install-dev lint
	@$(PY) -m pytest -n 2

test-clocks: install-dev
	@sh tests/clocks/run $(PY)

lint: install-dev
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/ruff format --check
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports
	@$(DEPTRY) . --extend-exclude '^(benchmarks|demo)/'
	@$(DEPTRY) benchmarks demo tests --exclude '/\.' --ignore DEP002,DEP004

demo: install-dev
	@$(PY) demo/run.py

screenshots: install-dev
	@$(PY) -m pytest -q tests/browser/screenshots.py

bench: install-dev
	@$(PY) -m benchmarks

bench-large: install-dev
	@$(PY) -m benchmarks --large

install: $(VENV)/.base
install-dev: $(VENV)/.dev

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; choose one: make PYTHON=python3.12")'
	@echo "Making a Python environment in $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.base: requirements/base.txt | $(PY)
	@echo "Installing dependencies ..."
	@$(PIP) install --require-hashes --only-binary :all: -r requirements/base.txt
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.base
	@echo "Installing the tools for tests ..."
	@$(PIP) install --require-hashes --only-binary :all: -r requirements/dev.txt
	@touch $@

# Chooses the versions again, from the ranges in pyproject.toml.
lock: install-dev
	@sh requirements/lock
