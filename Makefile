SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

# The service suite makes its own database there; nothing else is touched.
TEST_DATABASE_URL ?= postgres://postgres@127.0.0.1:5432/postgres
TEST_REDIS_URL ?= redis://127.0.0.1:6379/15

.PHONY: help install demo test check unit browser test-services bench format requirements clean

help:
	@echo "make demo           start Quorum with its sample pilot and simulated providers"
	@echo "make test           every check and test that needs no service"
	@echo "make test-services  the integration tests on PostgreSQL and Redis"
	@echo "make bench          the benchmarks of the runner and the pages"
	@echo "make format         format the code"
	@echo "make install        prepare .venv"

install: $(STAMP)

$(STAMP): requirements.txt requirements-dev.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; name it with PYTHON=python3.x") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt -r requirements-dev.txt
	@touch $(STAMP)

demo: $(STAMP)
	@exec $(BIN)/python -m fusion_site.demo

test: check unit browser

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	find templates -name '*.html' -print0 | xargs -0 $(BIN)/djade --target-version 5.2 --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run

# Branches count: 95 % over all (pyproject.toml), all of them where nothing but a value goes in and comes out.
PURE := evaluation/scorers/*,evaluation/stats/*,panels/fusion/*,panels/simulator/*

unit: $(STAMP)
	$(BIN)/pytest tests/unit tests/integration -n auto --cov --cov-report=term
	$(BIN)/coverage report --include='$(PURE)' --fail-under=100

browser: $(STAMP)
	$(BIN)/python -m tests.browser

test-services: $(STAMP)
	QUORUM_TEST_SERVICES=1 DATABASE_URL='$(TEST_DATABASE_URL)' CELERY_BROKER_URL='$(TEST_REDIS_URL)' $(BIN)/pytest tests/integration -n auto

bench: $(STAMP)
	$(BIN)/python -m tests.bench

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	find templates -name '*.html' -print0 | xargs -0 $(BIN)/djade --target-version 5.2

requirements: $(STAMP)
	CUSTOM_COMPILE_COMMAND="make requirements" $(BIN)/pip-compile $(COMPILE) --strip-extras --output-file=requirements.txt requirements.in
	CUSTOM_COMPILE_COMMAND="make requirements" $(BIN)/pip-compile $(COMPILE) --no-strip-extras --output-file=requirements-dev.txt requirements-dev.in

# pip looks for the newest coverage[toml] unless the pin names the extra too; a file of constraints may name none.
COMPILE := --quiet --generate-hashes --allow-unsafe --no-emit-index-url --no-emit-trusted-host --no-emit-find-links

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
