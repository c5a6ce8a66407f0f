# Every target sets itself up; `make check` is what people and CI run alike.

VENV ?= .venv
WORKERS ?= 2
BOOTSTRAP := $(shell command -v python3.11 || command -v python3)
PYTHON := $(VENV)/bin/python
STAMP := $(VENV)/.gailkit-installed

.PHONY: demo test lint docs check bench dist clean

demo: $(STAMP)
	$(VENV)/bin/gailkit demo

# One thread: more make the small networks of the tests slower. Two processes at a time; WORKERS=0 runs the tests one
# after another in one, where they can be watched and debugged.
test: $(STAMP)
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n $(WORKERS)

lint: $(STAMP)
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy

# The site: every warning is an error, and nothing is fetched, neither now nor by whoever reads it. -E, as pages come from
# code that Sphinx does not watch.
docs: $(STAMP)
	OMP_NUM_THREADS=1 $(PYTHON) -m sphinx -q -W --keep-going -E -b html docs build/docs

check: lint docs test

bench: $(STAMP)
	$(PYTHON) -m benchmarks

# What others install: the wheel and the sdist, and the wheel tried where nothing else is.
dist: $(STAMP)
	rm -rf build dist *.egg-info
	$(PYTHON) -m build --quiet --outdir dist .
	"$(BOOTSTRAP)" -m venv build/bare
	build/bare/bin/python -m pip install --quiet -c constraints.txt torch==2.13.0
	build/bare/bin/python -m pip install --quiet -c constraints.txt dist/gailkit-*.whl
	cd build && sh ../.ci/try-wheel bare/bin/gailkit ../datasets/cartpole-v1.hdf5

# torch first and pinned: an open range may choose a newer one and fetch gigabytes.
$(STAMP): pyproject.toml constraints.txt
	@"$(BOOTSTRAP)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "gailkit needs Python 3.11 or newer, as python3.11 or python3 on the PATH" >&2; exit 1; }
	test -x $(PYTHON) || "$(BOOTSTRAP)" -m venv $(VENV)
	$(PYTHON) -m pip install --quiet -c constraints.txt torch==2.13.0
	$(PYTHON) -m pip install --quiet -c constraints.txt -e ".[dev,mujoco]"
	touch $@

clean:
	rm -rf build dist *.egg-info demo-run .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -path './$(VENV)' -prune -o -type d -name __pycache__ -exec rm -rf {} +
