# Two commands for everyone: `make demo` and `make test`. The rest is for those who change the code; CI is `.ci/run`.
#
# .venv        the product and its test extra, nothing else
# .venv-check  the product with the tools that check it (ruff, basedpyright, import-linter, sphinx)
# .venv-rqd    OpenCue's host daemon, for the tests of the backend that speaks to it (make components)
# .venv-bpy    Blender as a Python module, for the tests that need a second generation of it (make components)
# .venv-stores object stores that speak as S3 and GCS do, for the tests of storage (make components)

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.11 || command -v python3)
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check -c constraints.txt
JOBS ?= 2
ARGS ?=
PINS := pyproject.toml constraints.txt
CHECK := .venv-check/bin

.PHONY: help venv demo test components check lint format types imports docs docs-check wheel architecture bench addons clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- run and test --------------------------------------------------------------------------------------------------

demo: .venv/.product ## a farm in a temporary folder renders a short animation and a still
	.venv/bin/outfield demo

venv: .venv/.test ## .venv with the product and its test extra

test: .venv/.test ## every test; skips what needs a missing component and says how to install it
	.venv/bin/python -m pytest -n $(JOBS) -rs $(ARGS)

components: ## as root: what some tests need (Blender, Chromium, PostgreSQL, object stores ...)
	tools/install_components.sh
	tools/install_bpy.sh
	tools/install_object_stores.sh
	tools/install_rqd.sh

bench: .venv/.test ## every benchmark; each prints its ratios
	@for file in $$(grep -l '^if __name__ == "__main__"' benchmarks/*.py); do \
	  echo "== $$file"; .venv/bin/python "$$file" $(ARGS); done

addons: .venv/.product ## a zip of each add-on that is in the tree
	@for folder in addons/*/; do \
	  name=$$(basename "$$folder"); [ "$$name" = shared ] || .venv/bin/outfield addons build "$$name" || exit 1; \
	done

# ---- check: exactly what CI runs besides the tests -------------------------------------------------------------------

check: lint types imports docs-check architecture wheel ## lint, types, layers, docs, the rules of the house, the wheel

lint: .venv-check/.done ## ruff, rules and format
	$(CHECK)/ruff check --cache-dir .cache/ruff
	$(CHECK)/ruff format --check --cache-dir .cache/ruff

format: .venv-check/.done ## write the format that `make lint` asks for
	$(CHECK)/ruff check --cache-dir .cache/ruff --fix
	$(CHECK)/ruff format --cache-dir .cache/ruff

types: .venv-check/.done ## basedpyright, strict on scheduler and worker
	$(CHECK)/basedpyright --pythonpath $(CHECK)/python

imports: .venv-check/.done ## import-linter: the layers of docs/architecture.md
	$(CHECK)/lint-imports --cache-dir .cache/import-linter

docs: .venv-check/.done ## write the generated pages anew and build docs/_build/html, which needs no network to read
	$(CHECK)/python -m tools.reference
	$(CHECK)/sphinx-build -q -E -W --keep-going -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

docs-check: .venv-check/.done ## the generated pages are fresh and the docs build without a warning
	$(CHECK)/python -m tools.reference --check
	$(CHECK)/sphinx-build -q -E -W --keep-going -b html docs docs/_build/html

architecture: .venv-check/.done ## names, sizes, bans
	$(CHECK)/python -m pytest -q -p no:randomly tests/architecture

wheel: .venv-check/.done ## the built wheel holds what it should and starts from elsewhere
	$(CHECK)/python tools/check_wheel.py

clean: ## remove what can be made again (not .venv-bpy and .venv-stores: they are large)
	rm -rf .venv .venv-check .cache .hypothesis docs/_build dist demo-out

# ---- environments ----------------------------------------------------------------------------------------------------

.venv/.product: $(PINS)
	[ -x .venv/bin/python ] || $(PYTHON) -m venv .venv
	.venv/bin/python $(PIP_INSTALL) -e .
	touch $@

.venv/.test: $(PINS)
	[ -x .venv/bin/python ] || $(PYTHON) -m venv .venv
	.venv/bin/python $(PIP_INSTALL) -e '.[test]'
	touch .venv/.product $@

.venv-check/.done: $(PINS)
	[ -x .venv-check/bin/python ] || $(PYTHON) -m venv .venv-check
	.venv-check/bin/python $(PIP_INSTALL) -e '.[test,dev]'
	touch $@
