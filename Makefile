# Everything a person or a CI machine does here. `make` alone lists it.
# The environment (.venv) is made when it is needed and only when the lock changed; PYTHON=... chooses the interpreter.

PY := .venv/bin/python
READY := .venv/.ready
CODE := contracts kit services gateway deploy cli tests benchmarks
COMPILE = .venv/bin/uv pip compile --quiet --upgrade --universal --generate-hashes --no-annotate --no-header

.DEFAULT_GOAL := help
.PHONY: audit help up test test-faults coverage check lint types imports drift format contracts benchmarks env compose-up compose-down lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 16

$(READY): requirements/dev.txt requirements/bootstrap.txt pyproject.toml deploy/environment.sh
	@sh deploy/environment.sh

up: $(READY) ## start everything on this machine until Ctrl-C (PostgreSQL, NATS, the four processes)
	@$(PY) -m deploy.up

# Three files at a time, each on servers of its own: most tests wait for something. ARGS="-n 0 tests/kit" runs some of them, one by one.
ARGS ?=
test: $(READY) ## run all tests on throw-away PostgreSQL and NATS
	@$(PY) -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

# The long version of tests/faults/test_history.py; SEED= replays a run. docs/fault-testing.md
SECONDS ?= 600
SEED ?=
test-faults: $(READY) ## clients and faults for SECONDS=600 from a fresh seed (SEED= replays), then all must add up
	@$(PY) -m tests.faults.history.run --seconds $(SECONDS) --seed "$(SEED)"

# Apart from `test`: coverage's tracer together with greenlets was once seen to spin for ever inside a weak reference's callback.
coverage: $(READY) ## the same tests with branch coverage reported
	@$(PY) -m pytest --cov --cov-report=term

check: lint types imports drift ## what must hold before a commit: lint, format, types, import rules, no drift

lint: $(READY) ## ruff: lint and format, nothing is changed
	@$(PY) -m ruff check $(CODE)
	@$(PY) -m ruff format --check $(CODE)

types: $(READY) ## mypy, strict
	@$(PY) -m mypy

imports: $(READY) ## who may import whom
	@.venv/bin/lint-imports

drift: $(READY) ## committed contracts and migrations are what the code says, and the contract keeps its own rules
	@$(PY) -m deploy.contracts --check
	@$(PY) -m deploy.lint_contract
	@$(PY) -m deploy.check_migrations

contracts: $(READY) ## write contracts/ from the code: OpenAPI, AsyncAPI, event examples
	@$(PY) -m deploy.contracts

benchmarks: $(READY) ## measure, as ratios against a peer in the same run
	@for script in benchmarks/[a-z]*.py; do $(PY) -m "benchmarks.$$(basename "$$script" .py)" || exit 1; done

format: $(READY) ## ruff: format and repair what can be repaired
	@$(PY) -m ruff format $(CODE)
	@$(PY) -m ruff check --fix $(CODE)

env: ## write .env with generated passwords for docker compose; an existing one stays
	@sh deploy/compose/env.sh

compose-up: ## build the image and start everything in containers, until all are healthy
	@docker compose up --detach --build --wait
	@echo "Gateway              http://$$(docker compose port gateway 8000)"
	@echo "Administrator's key  docker compose exec -T gateway cat /var/lib/kkb/admin/admin.key"

compose-down: ## stop the containers; their data stay in the volumes
	@docker compose down

lock: $(READY) ## renew requirements/*.txt from pyproject.toml (newest versions, hashes for every platform)
	@$(COMPILE) pyproject.toml --extra embedded --extra dev -o requirements/dev.txt
	@$(COMPILE) pyproject.toml -c requirements/dev.txt -o requirements/runtime.txt # the versions that the tests run with
	@$(COMPILE) pyproject.toml -c requirements/dev.txt --extra embedded -o requirements/embedded.txt
	@echo uv | $(COMPILE) - -o requirements/bootstrap.txt

# pip-audit is fetched for the call and kept apart: its own dependencies have no place among the tests' ones.
audit: $(READY) ## known vulnerabilities of the locked packages (asks the package index; skipped where it cannot be reached)
	@sh deploy/audit_packages.sh

clean: ## remove .venv and all caches; never the data in .data
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.* htmlcov
	find . -name __pycache__ -type d -not -path './.data/*' -prune -exec rm -rf {} +
