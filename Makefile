# Each verb sets up .venv by itself, once, and again when setup.cfg, pyproject.toml or constraints.txt has changed.

PYTHON ?= python3
RECIPE ?= demo
ARGS ?=

BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt
SETUP_FILES := setup.cfg pyproject.toml constraints.txt
RUNS := .venv/.installed
TESTS := .venv/.installed-test

.DEFAULT_GOAL := help
.PHONY: help setup sweep test lint bench faults

help:
	@echo "make sweep    a small real sweep on the embedded data: six losses, a verdict, a report (RECIPE=$(RECIPE))"
	@echo "make test     the tests (ARGS='-k name' or ARGS='-m \"not slow\"' for some of them)"
	@echo "make lint     ruff, and pyright over the four packages"
	@echo "make bench    what a training step costs on this machine, beside the naive form"
	@echo "make faults   only the tests that kill, tear or fill something"
	@echo "make setup    only set up .venv (PYTHON=python3.12 picks the interpreter; 3.11 to 3.13)"
	@echo "More: .venv/bin/sweeps --help, once set up."

setup: $(RUNS)

sweep: $(RUNS)
	$(BIN)/sweeps launch $(RECIPE) $(ARGS)

test: $(TESTS)
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

lint: $(TESTS)
	$(BIN)/ruff check .
	$(BIN)/pyright

bench: $(RUNS)
	$(BIN)/sweeps bench step $(ARGS)

faults: $(TESTS)
	$(BIN)/python -m pytest -m faults $(ARGS)

# "make test" after "make sweep" adds only what the tests need; the stamp is written last, so an interrupted install is taken up again.
$(RUNS): $(SETUP_FILES) | $(BIN)/pip
	$(PIP) -e .
	@touch $@

$(TESTS): $(SETUP_FILES) | $(BIN)/pip
	$(PIP) -e '.[test]'
	@touch $(RUNS) $@

$(BIN)/pip:
	@command -v $(PYTHON) > /dev/null || { echo "There is no '$(PYTHON)' on the PATH. Install Python 3.11, 3.12 or 3.13," \
	  "or name one that is there: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { echo "$(PYTHON) is" \
	  "$$($(PYTHON) -c 'import platform; print(platform.python_version())'); this needs Python 3.11, 3.12 or 3.13." \
	  "Name one that is installed: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { echo "$(PYTHON) cannot make virtual environments: its venv module" \
	  "is not installed. On Debian and Ubuntu: apt install python3-venv; then run make $(MAKECMDGOALS) again." >&2; exit 1; }
	$(PYTHON) -m venv .venv
