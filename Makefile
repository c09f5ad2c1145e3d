# Every target sets up what it needs: `make demo` and `make test` work in a fresh clone.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory
unexport PYTHONDONTWRITEBYTECODE VIRTUAL_ENV PYTHONPATH PYTHONHOME
export UV_PYTHON_DOWNLOADS := never

PYTHON := .venv/bin/python
SETUP := .venv/.synced
SOURCES := workflows lambdas backend deploy docs tests
# Heavy, with dependencies of their own: uv runs them apart from .venv, at these versions.
ISOLATED := SAM_CLI_TELEMETRY=0 .venv/bin/uv tool run --python $(PYTHON)
SAM := $(ISOLATED) --from aws-sam-cli==1.170.0 sam
CHECKOV := $(ISOLATED) --from checkov==3.3.30 checkov

.PHONY: help setup demo up manage test test-fast test-slow check docs lint-template format screens states workflow task locale build capacity cost deploy zappa smoke bench corpora fuzz clean

help: ## Show the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

setup: $(SETUP) ## Make .venv with everything the other targets need.

$(SETUP): pyproject.toml workflows/engine/pyproject.toml uv.lock .python-version
	@for candidate in python3 python3.13 python3.14 python3.12; do \
	  if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$${python:-}" ]; then echo "Python 3.12 or newer is needed: none of python3, python3.13, python3.14, python3.12 is." >&2; exit 1; fi; \
	echo "Bringing .venv up to date (the first time: some hundred megabytes)"; \
	[ -x .venv/bin/pip ] || $$python -m venv --clear .venv || { rm -rf .venv; echo "python3 can make no virtual environment: on Debian or Ubuntu, apt-get install python3-venv." >&2; exit 1; }; \
	[ -x .venv/bin/uv ] || .venv/bin/python -m pip install -qq --disable-pip-version-check uv==0.13.9; \
	.venv/bin/uv sync --quiet --frozen --inexact --all-groups --python $(PYTHON)
	@touch $@

demo: $(SETUP) ## The main job from upload to mail, to its end. FILES="a.jpg b.pdf" takes your own.
	@$(PYTHON) -m deploy.local demo $(FILES)

up: $(SETUP) ## The local stack, until Ctrl-C.
	@$(PYTHON) -m deploy.local up

manage: $(SETUP) ## manage.py with the settings of the running local stack: ARGS="executions list".
	@$(PYTHON) -m deploy.local.manage $(ARGS)

test: $(SETUP) ## Every test but the slow ones. Installs Chromium where it may, for the console's pages.
	@$(PYTHON) -m tests.chromium
	$(PYTHON) -m pytest -n 3 --dist loadgroup -m "not slow"

test-fast: $(SETUP) ## Every test but those that need the local stack.
	$(PYTHON) -m pytest -n 3 --dist loadgroup -m "not e2e and not slow"

test-slow: $(SETUP) ## The tests that take minutes, or Node.js.
	$(PYTHON) -m pytest -m slow

check: $(SETUP) ## Style, types, import rules, rendered files, template.
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy $(SOURCES)
	$(PYTHON) -m tests.import_rules
	$(PYTHON) -m tests.prose
	.venv/bin/codespell $$(git ls-files)
	$(PYTHON) -m deploy.template.render --check
	$(PYTHON) -m deploy.template.check
	DATABASE_URL=sqlite://:memory: $(PYTHON) backend/manage.py render_tasks --check
	DATABASE_URL=sqlite://:memory: $(PYTHON) backend/manage.py makemigrations --check --dry-run
	@$(MAKE) docs RENDER=--check

docs: $(SETUP) ## The documentation as a site in .build/docs; fails on a broken link or an unknown name.
	$(PYTHON) -m docs.render $(RENDER)
	@rm -rf .build/docs
	.venv/bin/sphinx-build --fresh-env --fail-on-warning --keep-going --quiet docs .build/docs

lint-template: build ## The template by cfn-lint, sam validate, sam build and checkov. Fetches the last three.
	$(PYTHON) -m deploy.template.check
	$(SAM) validate --lint --template deploy/template.yaml --region us-east-2
	.venv/bin/cfn-lint deploy/zappa_role.yaml deploy/container/template.yaml
	$(SAM) validate --lint --template deploy/container/template.yaml --region us-east-2
	$(SAM) build --template deploy/template.yaml --build-dir .build/sam
	$(CHECKOV) --config-file deploy/checkov.yaml --file deploy/template.yaml deploy/zappa_role.yaml deploy/container/template.yaml
	$(CHECKOV) --config-file deploy/checkov.yaml --file .build/template.json

format: $(SETUP) ## Fix style where a tool can.
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

screens: $(SETUP) ## Pictures of every page of the console in .local/screens, and the two of the README.
	@$(PYTHON) -m tests.chromium
	ALL_SCREENS=1 $(PYTHON) -m pytest -n 2 --dist loadgroup tests/backend/qu_workflows/console/browser/test_every_page.py
	$(PYTHON) -m tests.backend.qu_workflows.console.browser.pictures

states: $(SETUP) ## Render state_machines/*.asl.json, the catalog, the regions of deploy/template.yaml and the tables of docs/.
	$(PYTHON) backend/manage.py render_tasks
	$(PYTHON) -W ignore -m workflows.render
	$(PYTHON) -m deploy.template.render
	$(PYTHON) -m docs.render

workflow: $(SETUP) ## A new workflow that runs: NAME=property_audit STEPS="list_shifts audit_shift".
	@$(PYTHON) -m workflows.scaffold workflow $(NAME) $(STEPS)
	@$(MAKE) states

task: $(SETUP) ## A new task of one step: APP=core NAME=count_shifts.
	@$(PYTHON) -m workflows.scaffold task $(APP) $(NAME)
	@$(MAKE) states

locale: $(SETUP) ## Bring the Spanish catalog in step with the code.
	$(PYTHON) backend/locale/catalog.py

build: $(SETUP) ## One reproducible zip per function in .build/.
	$(PYTHON) -m deploy.packages.build

capacity: $(SETUP) ## Simulate a day with a burst and choose MaximumConcurrency; minutes; writes docs/explanation/capacity.md.
	$(PYTHON) -m deploy.capacity

cost: $(SETUP) ## What a million tasks cost, and which quota stops them first; writes docs/explanation/costs.md.
	$(PYTHON) -m deploy.cost

STAGE ?= dev
deploy: $(SETUP) ## The stack of STAGE=dev or production, from the zips of make build.
	$(SAM) deploy --template deploy/template.yaml --config-env $(STAGE) $(DEPLOY)

ZAPPA ?= update
zappa: $(SETUP) ## Django of STAGE by Zappa: ZAPPA=deploy, update, "manage smoke", …
	$(PYTHON) -m deploy.stages.zappa --stage $(STAGE) $(ZAPPA)

smoke: $(SETUP) ## Ask the deployed STAGE if it works: its site, and a task to its end.
	$(PYTHON) -m deploy.stages.smoke --stage $(STAGE)

bench: $(SETUP) ## Measure speed against the targets; minutes.
	@status=0; for bench in tests/benchmarks/bench_*.py; do echo "== $$bench"; PYTHONPATH=.:backend $(PYTHON) $$bench || status=1; done; exit $$status

corpora: $(SETUP) ## Whole corpora of odd files through both file functions; the verdicts go into docs/reference/files.md.
	@$(PYTHON) -m tests.corpora

fuzz: $(SETUP) ## Mutated files through both file functions. SECONDS=60
	@$(PYTHON) -m tests.fuzzing $(or $(SECONDS),60)

clean: ## Remove what was built and the local stack's state.
	rm -rf .build .local .mypy_cache .ruff_cache .pytest_cache .hypothesis
