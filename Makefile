# `make help` lists the targets. Two are enough to begin: `make run` and `make test`. Each installs what it needs into
# $(VENV), and nothing needs a server.
PYTHON ?= python3
VENV ?= .venv-$(notdir $(PYTHON))
BIN := $(VENV)/bin
# a stamp per set of packages: for running, for the tests, for the slow tests
RUN := $(VENV)/.installed
DEV := $(VENV)/.installed-dev
LAB := $(VENV)/.installed-lab
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check
STATE ?= .state
CONFIG ?= $(STATE)/launchd.toml
VERSIONS ?= 3.11 3.12 3.13
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --constraint etc/constraints.txt
export SOURCES TRUTH

.DEFAULT_GOAL := help
.PHONY: help run demo test lint format cover matrix lab contract bench coldload quality lock install uninstall clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(RUN): pyproject.toml etc/constraints.txt launchd/__init__.py
	@$(PYTHON) -c 'import sys; sys.exit("launchd needs Python 3.11 or newer: make PYTHON=python3.12 $(or $(MAKECMDGOALS),run)") if sys.version_info < (3, 11) else None'
	@echo "installing launchd into $(VENV) (about a minute, once) ..."
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@$(PIP) --constraint etc/constraints.txt --editable .
	@touch $@

$(DEV): $(RUN)
	@echo "adding the tools for tests and lint to $(VENV) (about a minute, once) ..."
	@$(PIP) --constraint etc/constraints.txt --editable '.[dev]'
	@touch $@

$(LAB): $(DEV)
	@echo "adding the tools for slow tests to $(VENV) (about a minute, once) ..."
	@$(PIP) --constraint etc/constraints.txt --editable '.[dev,lab]'
	@touch $@

run: $(RUN) $(CONFIG) ## install and start the daemon in the foreground, with state and configuration in .state
	@umask 077; STATE_DIRECTORY=$(abspath $(STATE)) RUNTIME_DIRECTORY=$(abspath $(STATE)) $(BIN)/launchd run --config $(CONFIG)

$(STATE)/launchd.toml: # the defaults, on a TCP port beside that of an installed daemon
	@mkdir -p -m 700 $(STATE)
	@sed 's/^# tcp = "127.0.0.1:8470"/tcp = "127.0.0.1:8471"/' etc/launchd.toml > $@

demo: $(RUN) ## show it offline: a replay server, the daemon, a first scrape, the table of launches
	@$(BIN)/launchd demo

test: $(DEV) ## install and run the tests (ARGS="-k lock" for a part)
	@$(BIN)/python -m pytest -n auto $(ARGS)

lint: $(DEV) ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEV) ## let ruff fix and format the code
	$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

cover: $(DEV) ## the share of launchd/ that the tests run, and the ten least covered files (ARGS=)
	@rm -f .coverage .coverage.*
	@$(BIN)/coverage run -m pytest -n auto $(ARGS); status=$$?; \
	$(BIN)/coverage combine --quiet && $(BIN)/coverage report --sort=cover | sed -n '1p; 3,12p' && \
	echo "coverage: $$($(BIN)/coverage report --format=total) % of the statements in launchd/" && exit $$status

matrix: ## run the tests under Python 3.11, 3.12 and 3.13, where found (VERSIONS=)
	@MAKE="$(MAKE)" sh tests/project/matrix.sh $(VERSIONS)

lab: $(LAB) ## tests that are slow, need root or inject faults, and those of the dashboard (needs a chromium)
	BROWSER=required $(BIN)/python -m pytest -m 'lab or browser' $(ARGS)

contract: $(LAB) ## generated requests against the OpenAPI document (CASES=10000, SEED=)
	$(BIN)/python -m tests.lab.contract $(if $(CASES),--cases $(CASES)) $(if $(SEED),--seed $(SEED))

bench: $(DEV) ## figures of this machine (ARGS=dashboard for one part)
	$(BIN)/python -m tests.bench $(ARGS)

coldload: $(DEV) ## read all recorded payloads into an empty database (SOURCES=); skipped without ../shared
	$(BIN)/python -m tests.bench.coldload

quality: $(DEV) ## precision and recall of the matching on recorded payloads (SOURCES=, TRUTH=); as above
	$(BIN)/python -m tests.bench.quality

lock: $(DEV) ## write etc/*.lock again: the packages that `make install` may fetch, by hash
	$(PIP) 'uv>=0.5'
	$(LOCK) pyproject.toml --output-file etc/requirements.lock
	$(LOCK) etc/build.in --output-file etc/build.lock

install: ## install on this machine, under systemd (as root)
	sh etc/install.sh $(PYTHON)

uninstall: ## remove what `make install` has installed; state and configuration stay
	sh etc/uninstall.sh

clean: ## remove the virtual environment and the caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage .coverage.*
