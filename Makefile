# make learn   sets everything up and opens JupyterLab at the course
# make test    sets everything up and runs the project's tests
# make sweep   judges mutants of every solution, and writes the README's table (authors)
# make build   builds notebooks and keys from their sources (authors)
# make demo-class, bench-grading   a simulated class, graded (instructors): docs/grading.md

PYTHON ?= python3
BIN := .venv/bin
# JupyterLab asks for this where it is started as root
ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

.PHONY: learn test lint build bench bench-grading demo-class sweep clean
.DELETE_ON_ERROR:

learn: .venv/learn.done
	$(BIN)/jupyter lab $(ROOT) --LabApp.default_url=/lab/tree/exercises/01_shapes/01_shapes.ipynb

test: .venv/test.done
	$(BIN)/pytest -n auto

lint: .venv/test.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

build: .venv/learn.done
	$(BIN)/python -m autograder.build
	$(BIN)/python docs/draw.py

bench: .venv/test.done
	$(BIN)/python tests/bench.py

bench-grading: .venv/test.done
	PYTHONPATH=. $(BIN)/python tests/bench_grading.py

demo-class: .venv/test.done
	PYTHONPATH=. $(BIN)/python tests/demo_class.py

sweep: .venv/test.done
	$(BIN)/python tests/sweep.py

clean:
	rm -rf .venv

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, as in: make PYTHON=python3.12 learn"; exit 1; }
	$(PYTHON) -m venv .venv || { rm -rf .venv; \
	  echo "Debian keeps venv in a package of its own: apt install python3-venv"; exit 1; }

# the stamp is written last: an installation that was interrupted is taken up again
.venv/learn.done: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/pip install --quiet -c constraints.txt -e .
	@touch $@

.venv/test.done: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/pip install --quiet -c constraints.txt -e '.[test]'
	@touch $@ .venv/learn.done
