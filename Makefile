# make help lists what there is.
VENV ?= .venv
PYTHON ?= python3
ARGS ?= experiment=tiny_circuits
RUN ?= runs/tiny_circuits/plain-44136fa3
DATA ?= datasets/generated
BIN := $(VENV)/bin
export PATH := $(abspath $(BIN)):$(PATH)

.PHONY: help install train eval test test-slow check golden bench data tensorboard base study doctor clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

install: $(BIN)/.installed  ## a virtual environment in .venv with the pinned versions

# torch is installed by its exact version first: left to itself, pip takes the newest build with its gigabytes of CUDA packages.
$(BIN)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade-strategy only-if-needed "$$(grep '^torch==' constraints.txt)"
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

train: install  ## the main job: adapt the small base to an unseen drawing style, and compare
	$(BIN)/python train.py

eval: install  ## grade a run: make eval RUN=runs/<name>/<folder>
	$(BIN)/python eval.py run=$(RUN)

test: install  ## the fast tests, in two processes
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

test-slow: install  ## the slow tests
	$(BIN)/python -m pytest -q -m slow

check: install  ## ruff, mypy --strict, the floors, and the exemptions that parts declare
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.contract.exemptions

golden: install  ## renew the resolved configs in tests/golden after a wanted change
	$(BIN)/python tests/golden/renew.py

bench: install  ## drawing, judging, solving and asking, measured side by side
	$(BIN)/python benchmarks/draw.py
	$(BIN)/python benchmarks/verify.py
	$(BIN)/python benchmarks/factors.py
	$(BIN)/python benchmarks/trees.py

data: install  ## circuits of our own in CircuitSense's layouts: make data DATA=datasets/mine
	$(BIN)/circuitvlm dataset $(DATA) --count 1000

tensorboard: install  ## curves and pictures of all runs
	$(BIN)/tensorboard --logdir runs

base: install  ## train the small base anew (about an hour and a half) and write it to weights/circuit-tiny
	$(BIN)/python train.py experiment=tiny_words
	$(BIN)/python train.py experiment=tiny_pairs
	$(BIN)/python train.py experiment=tiny_base
	$(BIN)/circuitvlm export runs/tiny_base/plain-44136fa3 weights/circuit-tiny

study: install  ## the study in small: eight arms, three seeds each, and its page (about half an hour)
	for arms in tiny_lavin_sweep tiny_lavin_again tiny_lavin_slow; do $(BIN)/python train.py -m experiment=$$arms || exit 1; done
	$(BIN)/circuitvlm report runs/tiny_lavin_sweep runs/tiny_lavin_again runs/tiny_lavin_slow --metric choice_scienceqa/right --base tiny_lavin_sweep \
	  --title tiny_lavin_sweep --out runs/tiny_lavin_study

doctor: install  ## look at a run before it is started: make doctor ARGS="experiment=qwen2vl_qlora"
	$(BIN)/circuitvlm doctor $(ARGS)

clean:  ## forget what tests and checks cached (runs, data and weights stay)
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
