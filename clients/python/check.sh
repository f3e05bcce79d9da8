#!/usr/bin/env bash
# The gate of the Python client: a clean install into .venv, lint, types, generated code, tests. Needs Python 3.10 or newer,
# PYTHON names another one than `python3`, and PyPI for the first run.
set -euo pipefail
cd "$(dirname "$0")"
others="../../examples/python-schedule ../../test/conformance/stdlib_worker.py"

[ -x .venv/bin/python ] || "${PYTHON:-python3}" -m venv .venv
.venv/bin/pip install --quiet --disable-pip-version-check '.[dev]'
.venv/bin/ruff check --config pyproject.toml . $others
.venv/bin/ruff format --config pyproject.toml --check . $others
.venv/bin/mypy
.venv/bin/python generate.py --check
.venv/bin/pytest --quiet "$@"
