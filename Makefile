# `make help` lists the targets.
VENV ?= .venv
PYTHON ?= python3
ARGS ?= experiment=tiny_circuits
RUN ?= runs/tiny_circuits/plain-44136fa3
DATA ?= datasets/generated
BIN := $(VENV)/bin
export PATH := $(abspath $(BIN)):$(PATH)

.PHONY: help install train eval test test-slow check golden bench data tensorboard base study doctor clean

help:  ## print this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

install: $(BIN)/.installed  ## make a virtual environment in .venv with the pinned versions

# torch is installed first, in its exact version; otherwise pip takes the newest build with its gigabytes of CUDA packages.
$(BIN)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade-strategy only-if-needed "$$(grep '^torch==' constraints.txt)"
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

train: install  ## run the main experiment: adapt the small base to an unseen drawing style, and compare
	$(BIN)/python train.py

eval: install  ## grade a run: make eval RUN=runs/<name>/<folder>
	$(BIN)/python eval.py run=$(RUN)

test: install  ## run the fast tests, in two processes
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

test-slow: SEED ?= $(shell date +%s)
test-slow: install  ## run the slow tests with new random examples; make test-slow SEED=1 repeats those of a seed
	$(BIN)/python -m pytest -q -m slow --hypothesis-profile=random --hypothesis-seed=$(SEED)

check: install  ## run ruff, mypy --strict and import-linter, and list the exemptions that parts declare
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.contract.exemptions

golden: install  ## renew the resolved configs in tests/golden after an intended change
	$(BIN)/python tests/golden/renew.py

bench: install  ## measure drawing, judging, solving, questions and grading, in comparison with other packages
	$(BIN)/python benchmarks/draw.py
	$(BIN)/python benchmarks/verify.py
	$(BIN)/python benchmarks/factors.py
	$(BIN)/python benchmarks/trees.py

data: install  ## generate circuits in CircuitSense's layouts: make data DATA=datasets/mine
	$(BIN)/circuitvlm dataset $(DATA) --count 1000

tensorboard: install  ## show curves and images of all runs
	$(BIN)/tensorboard --logdir runs

base: install  ## train the small base again (about an hour and a half) and write it to weights/circuit-tiny
	$(BIN)/python train.py experiment=tiny_words
	$(BIN)/python train.py experiment=tiny_pairs
	$(BIN)/python train.py experiment=tiny_base
	$(BIN)/circuitvlm export runs/tiny_base/plain-44136fa3 weights/circuit-tiny

study: install  ## run the small study: eight arms, three seeds each, and its page (about half an hour)
	for arms in tiny_lavin_sweep tiny_lavin_again tiny_lavin_slow; do $(BIN)/python train.py -m experiment=$$arms || exit 1; done
	$(BIN)/circuitvlm report runs/tiny_lavin_sweep runs/tiny_lavin_again runs/tiny_lavin_slow --metric choice_scienceqa/right --base tiny_lavin_sweep \
	  --title tiny_lavin_sweep --out runs/tiny_lavin_study

doctor: install  ## check a run before it starts: make doctor ARGS="experiment=qwen2vl_qlora"
	$(BIN)/circuitvlm doctor $(ARGS)

clean:  ## delete the caches of tests and checks (runs, data and weights are kept)
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
