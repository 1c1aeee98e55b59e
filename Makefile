# Two commands: `make demo` runs the main job, `make test` runs every check. Both set up what they need, as root; without
# root, or on a machine that can't emulate, the demo runs on the simulated backend, and says so.
RINGLAB = .venv/bin/ringlab
VENV_PYTHON = .venv/bin/python

.PHONY: setup demo test test-pure lint figures docs clean

setup:
	@./setup.sh

demo: setup
	@mkdir -p runs/demo
	@RINGLAB_PROGRESS=lines $(RINGLAB) run examples/leaf-spine.yaml --backend auto --json runs/demo/leaf-spine.json
	@RINGLAB_PROGRESS=lines $(RINGLAB) run examples/ring.yaml --backend auto --json runs/demo/ring.json

lint: setup
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy

test: setup lint
	@$(VENV_PYTHON) -m pytest -q -n auto -m 'not root and not process'
	@$(VENV_PYTHON) -m pytest -q -m 'root or process'

test-pure: setup
	@$(VENV_PYTHON) -m pytest -q -n auto -m 'not root and not process'

# What is made from the code: drawings and tables of docs/, and the pages of docs/reference/.
figures: setup
	@$(VENV_PYTHON) docs/draw_fabrics.py
	@$(VENV_PYTHON) docs/draw_algorithms.py
	@$(VENV_PYTHON) docs/draw_house.py
	@$(VENV_PYTHON) docs/make_reference.py

# docs/ as a web site, in build/docs.
docs: setup
	@$(VENV_PYTHON) -m sphinx -q -W -b html docs build/docs
	@echo build/docs/index.html

# Removes what labs left on the machine, then what was made in this folder (results in runs/ stay).
clean:
	@if [ -x $(RINGLAB) ]; then $(RINGLAB) clean; fi
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
