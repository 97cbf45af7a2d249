# One list of verbs; CI and README use exactly these.
PYTHON ?= python3
BIN := .venv/bin
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check --no-deps
HASHED := --require-hashes -r
SEED ?= 7

export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export DO_NOT_TRACK := 1
# Without bytecode on the disk each process would compile dbt, Dagster and Great Expectations anew, for two to five seconds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo dev test crash-test weather-test mutation-test as-of-test alert-test referee emulator-setup emulator lint lint-python lint-dbt bench docs finance scorecard answer-key clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/ready ## only the environment: .venv with the pinned dependencies

.venv/ready: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Tieout needs Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Installing the pinned dependencies into .venv (half a minute, once; two minutes where it has to be pip) ..."
	@$(PYTHON) -m venv .venv
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.txt > .venv/uv.txt
	@$(BIN)/python $(PIP_INSTALL) $(HASHED) .venv/uv.txt
	@$(BIN)/uv pip install --quiet --compile-bytecode --python .venv --no-deps $(HASHED) requirements.txt 2> .venv/uv.log || $(BIN)/python $(PIP_INSTALL) $(HASHED) requirements.txt
	@$(BIN)/python $(PIP_INSTALL) --no-build-isolation --editable .
	@touch $@

demo: setup ## the sandbox company through the production job, and the tie-out report
	@$(BIN)/tieout demo --seed $(SEED)

dev: setup ## Dagster's UI on the same definitions, the sandbox as sources
	@$(BIN)/tieout sandbox serve -- $(BIN)/dagster dev

test: setup ## everything that CI runs as tests
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

crash-test: setup ## the real sync killed 200 times at random moments: nothing missing, nothing twice (ten minutes)
	@$(BIN)/python -m tests.hostile.crash --seed $(SEED)

weather-test: setup ## the real sync through every fault that an API can throw, alone and together: nothing wrong in the end
	@$(BIN)/python -m tests.hostile.weather --seed $(SEED)

mutation-test: setup ## every money-bearing field that lands, changed in its turn: the register names the object and the amount (fifteen minutes)
	@$(BIN)/python -m tests.hostile.mutation --seed $(SEED)

as-of-test: setup ## the models as of 30 past moments: what a warehouse says that only ever received what was known by then (twenty minutes)
	@$(BIN)/python -m tests.hostile.as_of --seed $(SEED)

alert-test: setup ## three simulated days of alerts, receivers down for hours, the sensor killed at any moment: told, and not forty times
	@$(BIN)/python -m tests.hostile.alerts --seed $(SEED)

referee: setup ## every model and test before Google's implementation of BigQuery's SQL: takes it, and gives DuckDB's rows (ten minutes)
	@$(BIN)/python -m tests.referee

emulator-setup: .emulator/ready ## only the environment of the BigQuery emulator, which tests of the BigQuery warehouse need

.emulator/ready: tests/emulator/requirements.txt
	@echo "Installing the BigQuery emulator into .emulator (a minute, once) ..."
	@$(PYTHON) -m venv .emulator
	@.emulator/bin/python $(PIP_INSTALL) $(HASHED) tests/emulator/requirements.txt
	@touch $@

emulator: setup emulator-setup ## the production job with BigQuery as its target, twice: its marts are DuckDB's, row by row (twenty minutes)
	@$(BIN)/python -m tests.emulator

lint: setup ## ruff, mypy --strict, import rules, sqlfluff, dbt-bouncer
	@$(MAKE) --no-print-directory --jobs 2 lint-python lint-dbt

lint-python:
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

# Half of sqlfluff's time was Python looking for garbage in its syntax trees, and two processes lost as much handing them over.
lint-dbt:
	@mkdir -p .tieout
	@$(BIN)/python -c 'import gc; gc.set_threshold(500_000); from sqlfluff.cli.commands import cli; cli()' lint dbt_project
	@$(BIN)/dbt --quiet parse --profiles-dir .
	@$(BIN)/dbt-bouncer run

bench: setup ## speed claims, each against its peers in the same run; exits non-zero when one is missed (an hour)
	@missed=0; for each in ingestion.postgres ingestion.rebuild ingestion.stripe ingestion.idle reconciliation.invoices reconciliation.full_build reconciliation.hourly bigquery.pruning bigquery.loader; do $(BIN)/python -m benchmarks.$$each || missed=1; done; exit $$missed

docs: setup ## what models and columns mean, their lineage, DECISIONS.md as the glossary; with types where a warehouse is built
	@mkdir -p .tieout/glossary
	@{ echo '{% docs __overview__ %}'; cat DECISIONS.md; echo '{% enddocs %}'; } > .tieout/glossary/overview.md
	@built=$${TIEOUT_WAREHOUSE:-$${TIEOUT_HOME:-.tieout}/tieout.duckdb}; test -f "$$built" || built=:memory:; \
		TIEOUT_WAREHOUSE=$$built $(BIN)/dbt --quiet docs generate --static --profiles-dir . --target-path .tieout/docs
	@echo "Open .tieout/docs/static_index.html"

finance: setup ## docs/finance.md: what finance asks most, with the answers of a small sandbox company
	@$(BIN)/python -m tests.end_to_end.finance

scorecard: setup ## 20 seeds, all defects planted and none: exits non-zero when one is missed or made up (half an hour)
	@$(BIN)/python -m sandbox.scorecard --seed $(SEED) --seeds 20 --defects all none

answer-key: setup ## 20 seeds, all defects planted and none: exits non-zero when a customer's month of a figure is not the true one
	@$(BIN)/python -m sandbox.answer_key --seed $(SEED) --seeds 20 --defects all none

clean: ## remove what runs have made; the environment stays
	@rm -rf .tieout dbt_project/target dbt_project/logs logs .pytest_cache .mypy_cache .ruff_cache .hypothesis
