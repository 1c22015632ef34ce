# One place for what a newcomer types. Needs Python 3.11 to 3.14 with venv, and nothing else; uv makes it faster.

VENV := .venv
PYTHON := $(VENV)/bin/python
ARGS ?=
BROWSER_PATH ?= /usr/bin/chromium

.PHONY: help setup demo demo-once demo-reset test coverage check bench format browser gettext redis messages screenshots lock \
	audit lowest
.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## build the environment in .venv (again only when the lock changed)
	@sh .ci/setup $(VENV) requirements-dev.lock

demo: setup ## everything on this machine with a local Stripe; Ctrl-C stops it (ARGS="--port 9000")
	@$(PYTHON) manage.py demo $(ARGS)

demo-once: setup ## the same without staying up; succeeds only if the sync did
	@$(PYTHON) manage.py demo --once $(ARGS)

demo-reset: setup ## delete the demo's data
	@$(PYTHON) manage.py demo --reset

test: setup ## the whole suite on a real PostgreSQL (ARGS="-k name")
	@$(PYTHON) -m pytest -n auto --dist worksteal $(ARGS)

coverage: setup ## the rules about money and paying: every branch of them has a test
	@$(PYTHON) -m pytest -q tests/integrations/stripe/rules --cov=integrations.stripe.rules --cov-branch --cov-fail-under=100

check: setup ## all linters, the types, the import rules, the migrations, the production settings
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/djlint templates --check --lint --quiet
	$(VENV)/bin/lint-imports
	$(PYTHON) manage.py makemigrations --check --dry-run
	$(PYTHON) manage.py lintmigrations --include-apps customers integrations --ignore-name 0001_initial --sql-analyser postgresql --no-cache --quiet ok ignore
	$(PYTHON) manage.py what_we_store --check
	$(PYTHON) manage.py who_may --check
	@echo "manage.py check --deploy, with settings as in production"
	@DEBUG=false DATABASE_URL=postgresql://localhost/pivotal ALLOWED_HOSTS=pivotal.example.com \
		PUBLIC_BASE_URL=https://pivotal.example.com \
		SECRET_KEY="$$($(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(50))')" \
		FIELD_ENCRYPTION_KEYS="$$($(PYTHON) -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())')" \
		$(PYTHON) manage.py check --deploy --fail-level WARNING

bench: setup ## measure on this machine and write docs/benchmarks.md (ARGS="--size 10k --only syncs")
	@$(PYTHON) -m bench --write $(ARGS)

format: setup ## let the formatters and fixers do their work
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

browser: ## install Chromium for the browser tests (Debian, Ubuntu; as root)
	@sh .ci/browser $(BROWSER_PATH)

gettext: ## install GNU gettext, which finds and checks translations (Debian, Ubuntu; as root)
	@sh .ci/gettext

redis: ## install Redis for the tests of its broker (Debian, Ubuntu; as root)
	@sh .ci/redis

messages: setup gettext ## bring locale/ up to date: new texts come in empty, translated ones are compiled
	@$(PYTHON) manage.py messages

screenshots: setup ## take the pictures of docs/images from a demo of its own; needs the browser
	@rm -rf .pivotal/screenshots && PIVOTAL_DIR="$(CURDIR)/.pivotal/screenshots" $(PYTHON) manage.py screenshots $(ARGS)
	@PIVOTAL_DIR="$(CURDIR)/.pivotal/screenshots" $(PYTHON) manage.py demo --reset

lock: ## write both locks from pyproject.toml (ARGS=--upgrade for newer versions); needs uv
	@sh .ci/lock $(ARGS)

audit: setup ## known vulnerabilities in what the lock names; needs the internet, and fails where it cannot ask
	@$(VENV)/bin/pip-audit --requirement requirements.lock --disable-pip --require-hashes --strict $(ARGS)

lowest: ## the suite on the lowest versions pyproject.toml accepts; needs uv
	@sh .ci/lowest $(ARGS)
