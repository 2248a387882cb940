# Two commands are enough: `make run` and `make test`. Everything is installed into $(VENV); nothing needs a server.
PYTHON ?= python3
VENV ?= .venv-$(notdir $(PYTHON))
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
STATE ?= .state
CONFIG ?= $(STATE)/launchd.toml
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --constraint etc/constraints.txt
export SOURCES TRUTH

.PHONY: run test demo lint format bench coldload quality lab contract lock install uninstall clean

$(STAMP): pyproject.toml etc/constraints.txt launchd/__init__.py
	@$(PYTHON) -c 'import sys; sys.exit("launchd needs Python 3.11 or newer: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint etc/constraints.txt --editable '.[dev]'
	touch $@

run: $(STAMP) $(CONFIG) ## install and start the daemon in the foreground, its state and configuration in ./.state
	umask 077; STATE_DIRECTORY=$(abspath $(STATE)) RUNTIME_DIRECTORY=$(abspath $(STATE)) $(BIN)/launchd run --config $(CONFIG)

$(STATE)/launchd.toml: # the defaults, with the dashboard beside that of an installed daemon
	mkdir -p -m 700 $(STATE)
	sed 's/^# tcp = "127.0.0.1:8470"/tcp = "127.0.0.1:8471"/' etc/launchd.toml > $@

test: $(STAMP) ## install and pass the tests
	$(BIN)/python -m pytest -n auto $(ARGS)

demo: $(STAMP) ## everything offline: a replay server, the daemon, a first scrape, the table of launches
	$(BIN)/launchd demo

lint: $(STAMP) ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

bench: $(STAMP) ## figures of this machine, as ratios where two things are compared
	$(BIN)/python -m tests.bench $(ARGS)

coldload: $(STAMP) ## all recorded payloads into an empty database: seconds, memory, lag, writes (SOURCES=); skipped without ../shared
	$(BIN)/python -m tests.bench.coldload

quality: $(STAMP) ## rows kept of each file, precision and recall of the matching on recorded payloads (SOURCES=, TRUTH=); skipped without ../shared
	$(BIN)/python -m tests.bench.quality

lab: $(STAMP) ## slow, root or fault-injecting tests, and those of the dashboard (needs a chromium)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint etc/constraints.txt --editable '.[dev,lab]'
	BROWSER=required $(BIN)/python -m pytest -m 'lab or browser' $(ARGS)

contract: $(STAMP) ## generated requests against the OpenAPI document (CASES=10000, SEED=): no 5xx, nothing undocumented
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint etc/constraints.txt --editable '.[dev,lab]'
	$(BIN)/python -m tests.lab.contract $(if $(CASES),--cases $(CASES)) $(if $(SEED),--seed $(SEED))

lock: $(STAMP) ## write etc/*.lock anew: each file of each package that `make install` may fetch, by its hash
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.5'
	$(LOCK) pyproject.toml --output-file etc/requirements.lock
	$(LOCK) etc/build.in --output-file etc/build.lock

install: ## onto this machine, under systemd (as root)
	sh etc/install.sh $(PYTHON)

uninstall: ## take it off again; state and configuration stay
	sh etc/uninstall.sh

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
