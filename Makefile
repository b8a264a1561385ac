# make demo   sets up .venv, trains recognition/quickstart and prints how good it is
# make test   sets up .venv and runs the tests, but for the slow ones
# make test-fast   those of them that run no whole command or experiment, before every commit
# make test-slow   the slow ones, compiled as for users; make test-all   all of them, compiled so
# make docs   builds the documentation into site/; a broken link or reference is an error
# make notebooks   executes the notebooks and keeps their outputs
.PHONY: demo test test-fast test-slow test-all docs notebooks lint types format clean
.DEFAULT_GOAL := test

PYTHON ?= python3
BIN := .venv/bin

.venv/.ready: pyproject.toml setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Likeness needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Set PYTHON=python3.11, say."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade --constraint constraints.txt pip setuptools
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test,lint]'
	@mkdir -p .venv/links/likeness && ln -sfn ../../../likeness/__init__.py .venv/links/likeness/__init__.py && \
		for room in research experiments configs; do ln -sfn ../../../$$room .venv/links/likeness/$$room; done
	@touch $@

demo: .venv/.ready
	$(BIN)/likeness train recognition/quickstart

test: .venv/.ready
	$(BIN)/python -m pytest -n 2 -m 'not slow and not gpu'

test-fast: .venv/.ready
	$(BIN)/python -m pytest -n 2 -m 'not slow and not gpu and not end_to_end'

test-slow: .venv/.ready
	XLA_FLAGS= $(BIN)/python -m pytest -n 2 -m 'slow and not gpu'

test-all: .venv/.ready
	XLA_FLAGS= $(BIN)/python -m pytest -n 2 -m 'not gpu'

docs: .venv/.ready
	$(BIN)/python -c 'import mkdocs, mkdocstrings' 2> /dev/null || \
		$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

notebooks: .venv/.ready
	$(BIN)/python -m notebooks.execute

lint: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff check --select F821 notebooks
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright

format: .venv/.ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv .cache .pytest_cache .ruff_cache build site likeness_jax-*/ *.egg-info
