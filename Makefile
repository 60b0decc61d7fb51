# mien: everything a person does with this repository. `make help` lists it.
.DEFAULT_GOAL := help
.PHONY: help setup demo up down status cluster operator-demo doctor test faults nightly lint format bench coverage lock clean

BIN := .venv/bin
INSTALLED := .venv/.installed

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## install everything into .venv (the other targets do it by themselves)

$(INSTALLED): pyproject.toml requirements/workstation.txt requirements/go.txt requirements/uv.txt requirements/install.sh
	@echo "installs the environment into .venv"
	@PYTHON="$(PYTHON)" requirements/install.sh
	@touch $@

demo: $(INSTALLED) ## start the platform, analyse one photo (PHOTO=path for your own), stop
	@$(BIN)/mien demo $(if $(PHOTO),--photo "$(PHOTO)")

up: $(INSTALLED) ## start the platform and keep it running
	@$(BIN)/mien up

down: $(INSTALLED) ## stop the platform
	@$(BIN)/mien down

status: $(INSTALLED) ## show the platform's parts
	@$(BIN)/mien status

cluster: $(INSTALLED) ## start a Kubernetes control plane with simulated nodes, GPUs included (Ctrl-C stops it)
	@$(BIN)/mien cluster

operator-demo: $(INSTALLED) ## show the operator at work: a model rolled out, one rolled back, old photos deleted, a user erased
	@$(BIN)/mien operator-demo

doctor: ## say what is missing or broken and how to mend it; works on a broken installation, too
	@PYTHONPATH=local:core $$($(BIN)/python --version >/dev/null 2>&1 && echo $(BIN)/python || echo python3) -m mien_local doctor $(ARGS)

test: $(INSTALLED) ## run all tests (ARGS="-k name" passes arguments to pytest)
	@$(BIN)/python -m pytest $(ARGS)

faults: $(INSTALLED) ## crash, freeze and slow down everything under load, and print what it cost (SEED=7 for another course)
	@$(BIN)/python -m pytest tests/faults $(if $(SEED),--seed $(SEED)) $(ARGS)

nightly: $(INSTALLED) ## run the long versions: 20,000 jobs through all faults, with the true serving as well
	@$(BIN)/python -m pytest tests/faults --long $(if $(SEED),--seed $(SEED)) $(ARGS)
	@$(BIN)/python -m pytest tests/e2e/test_worker_killed.py tests/integration/test_local_supervision.py
	@$(BIN)/python -m pytest tests/integration/test_fuzz.py --long
	@$(BIN)/python -m pytest tests/integration/test_rollouts.py tests/integration/test_retention_runs.py --long -s
	@$(BIN)/python -m pytest tests/cluster --long
	@$(BIN)/python -m pytest tests/unit/operator/test_analysis_power.py --long -s

lint: $(INSTALLED) ## check style, types and who imports whom
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(INSTALLED) ## format, and repair what can be repaired by itself
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: $(INSTALLED) ## measure, and print the figures
	@$(BIN)/python -m bench

coverage: $(INSTALLED) ## run all tests and show which lines none of them runs
	@$(BIN)/coverage run -m pytest $(ARGS)
	@$(BIN)/coverage report --skip-covered --show-missing

lock: $(INSTALLED) ## write the locked requirements and Kafka's lock file anew
	@requirements/compile.sh $(ARGS)
	@$(BIN)/python -m mien_local.parts.kafka_jars

clean: ## stop the platform, and remove .mien (all its data) and .venv
	@test ! -x $(BIN)/mien || $(BIN)/mien down
	@rm -rf .mien .venv
