# Two commands on a fresh machine with python3 and make:
#   make demo    the whole way once, on local stand-ins
#   make test    all tests
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
APT_LIST := hex_assets_tests/servers/apt-packages.txt

.DEFAULT_GOAL := help
.PHONY: help demo ui serve test test-fast test-engines lint format lock apt-packages clean

help:  ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## */\t/' | expand -t 16

# One environment for everything; made anew when the lock changes. uv downloads in parallel, and
# where it cannot reach the index (it does not read pip.conf) pip does the same slowly.
$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 10) <= v[:2] < (3, 15) else f"hex_assets needs Python 3.10 to 3.14, and $(PYTHON) is {v[0]}.{v[1]}: make PYTHON=python3.11 ...")'
	@echo "Making the environment in $(VENV) (once; one to three minutes) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode -r requirements.lock \
		|| $(PIP) -r requirements.lock
	@$(PIP) --no-deps --editable .
	@touch $@

demo: $(VENV)/.ready  ## the main job on local stand-ins: Hex, ClickHouse, OpenMetadata
	@$(BIN)/hex-assets demo

ui: $(VENV)/.ready  ## the Dagster UI over what the demo materialized, with its servers running
	@$(BIN)/hex-assets demo --ui

serve: $(VENV)/.ready  ## only the demo's servers, for commands of your own
	@$(BIN)/hex-assets demo --serve

test: $(VENV)/.ready lint apt-packages  ## all tests, the slow ones last
	@$(BIN)/python -m pytest -q -m "not slow"
	@$(BIN)/python -m pytest -q -m "slow"

test-fast: $(VENV)/.ready  ## the tests that take no server and no time
	@$(BIN)/python -m pytest -q -m "not slow"

# Says what it downloads, and how large that is, before it does: 1.4 GB once, into ~/.cache/hex_assets.
test-engines: $(VENV)/.ready apt-packages  ## the tests on real engines that no package has: MySQL 8, Trino
	@$(BIN)/python -m hex_assets_tests.servers.engines
	@$(BIN)/python -m pytest -q -m engines -rs hex_assets_tests/warehouses

lint: $(VENV)/.ready  ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(VENV)/.ready  ## write the formatting
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: $(VENV)/.ready  ## resolve the dependencies anew
	@$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.10 \
		--upgrade --no-emit-index-url --no-header --no-annotate --quiet -o requirements.lock

# Real servers for the tests. Without root or apt the tests that need them skip and say so.
apt-packages:
	@missing=$$(for p in $$(cat $(APT_LIST)); do dpkg -s $$p >/dev/null 2>&1 || echo $$p; done); \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing for the tests:" $$missing; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	else \
		echo "Not installed, tests that need them will skip:" $$missing; \
	fi

clean:  ## remove what the commands made
	rm -rf $(VENV) .demo .dagster .tmp_dagster_home_* data .mypy_cache .ruff_cache .pytest_cache .hypothesis
