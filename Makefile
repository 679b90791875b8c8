# Two commands: `make demo` (the main job, base install only) and `make test` (everything that must hold).
# `make demo DATA=traces.json.gz` runs the main job on your own recordings.
# `make train-mini` trains a tiny model on cached rollouts and plays it in the live world, before and after.
PYTHON ?= python3
VENV ?= .venv
DATA ?=
# To the shell as it is: a path may hold spaces.
export DATA
WORKERS ?= 2
SEEDS ?= 1
PIP = $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test train-mini check clean

demo: $(VENV)/.base
	$(VENV)/bin/python -m cachebuild.demo --out out $${DATA:+--data "$$DATA"}

test: $(VENV)/.full check
	$(VENV)/bin/pytest -n $(WORKERS) -m "not slow"

train-mini: $(VENV)/.train
	$(VENV)/bin/python -m train.mini --out out/train-mini --seeds $(SEEDS)

check: $(VENV)/.full
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

$(VENV)/.base: pyproject.toml constraints.txt
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	touch $@

$(VENV)/.train: $(VENV)/.base
	$(PIP) "torch==2.13.0"
	$(PIP) --editable ".[train]"
	touch $@

$(VENV)/.full: $(VENV)/.train
	$(PIP) --editable ".[train,app,language,record,intake,ray,dev]"
	touch $@

clean:
	rm -rf $(VENV) out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
