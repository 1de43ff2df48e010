# make demo    a cluster on a simulated VMware Cloud Director, from login to deletion
# make test    all tests
# make coverage   the product's lines that the last `make test` covered
# make sweep   kill the client after, and spoil, every request of every operation: hours
# make test-real   the tests on a real Kubernetes: as root; builds it first, half an hour or more
# make lint    all linters
# make docs    write docs/cli.md again
# make recording   record the README's terminal session again
# make dist    build and check the sdist and the wheel
# make release VERSION=X.Y.Z   check that all is ready for it, then build both into dist/
# make clean   remove what these made
#
# Each sets up what it needs: a virtual environment in .venv with this project and its tools.

PYTHON ?= python3
# three for each processor: many tests wait for a guest
JOBS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) * 3)))
# the releases side by side, each with its own data center of 6 GB
REAL_JOBS ?= 2
BIN := .venv/bin
PYTEST = -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder
# Each test process, and each program that a test starts, would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE
SCRIPTS = $(wildcard .ci/*) $(shell find cse_client docs tests -name '*.sh')

.PHONY: demo test test-real coverage sweep lint docs recording dist release clean

demo: .venv/demo.ready
	@sh docs/demo.sh

test: .venv/test.ready
	@$(BIN)/coverage erase
	$(BIN)/coverage run $(PYTEST) $(PYTEST_ARGS)
	@$(BIN)/python -m tests.support.unfinished_coverage
	@$(BIN)/coverage combine --quiet

coverage: .venv/test.ready
	$(BIN)/coverage report

sweep: .venv/test.ready
	CSE_SWEEP=full $(BIN)/python -m pytest -n $(JOBS) --dist load tests/sweeps $(PYTEST_ARGS)

# What is missing is printed first, and once more at the end instead of a result.
test-real: .venv/real.ready
	@nice -n 5 $(BIN)/python -m tests.real.build || true
	$(BIN)/python -m pytest -m real -n $(REAL_JOBS) --dist loadgroup tests/real $(PYTEST_ARGS)

lint: .venv/lint.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	shellcheck $(SCRIPTS)
	$(BIN)/codespell $(wildcard *.md) docs profiles.example.yaml

docs: .venv/test.ready
	$(BIN)/python docs/cli.py

recording: .venv/recording.ready
	$(BIN)/python docs/record.py

dist: .venv/release.ready
	.ci/dist

release:
	@VERSION='$(VERSION)' .ci/release

.venv/%.ready: setup.py pyproject.toml .ci/setup
	@PYTHON='$(PYTHON)' sh .ci/setup $*
	@touch $@

clean:
	rm -rf .venv build dist cse_client.egg-info .pytest_cache .mypy_cache .ruff_cache .coverage .coverage.*
	rm -rf .hypothesis .import_linter_cache vcd.log vcd_cli_error.log vcd_sdk.log
