#!/bin/sh
# Makes or updates .venv from the lock; make calls it when requirements/ or pyproject.toml changed.
# Needs only a Python >= 3.11 with pip or ensurepip; PYTHON=... chooses one. Every download is checked against the lock's hashes.
set -eu
cd "$(dirname "$0")/.."

is_usable() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
        if is_usable "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    echo "No Python 3.11 or newer was found (looked for ${PYTHON:-python3, python3.11 to python3.14}): set PYTHON=/path/to/python3." >&2
    exit 1
}

# The system's pip can install into .venv, which saves giving it a pip of its own (seconds; and Debian's ensurepip is a package apart).
pip_install() {
    if "$python" -m pip --version >/dev/null 2>&1; then
        "$python" -m pip --python .venv/bin/python install --quiet "$@"
    elif .venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip >/dev/null 2>&1; then
        .venv/bin/python -m pip install --quiet "$@"
    else
        echo "$python has neither pip nor ensurepip: install them (Debian: apt install python3-venv)." >&2
        exit 1
    fi
}

# Compiled once here, as pip does: where Python may not write its bytecode, every start would compile everything anew.
uv_install() { .venv/bin/uv pip install --quiet --compile-bytecode --python .venv/bin/python "$@"; }

python=$(find_python)
if ! is_usable .venv/bin/python; then
    echo "Making .venv with $("$python" --version) ..."
    rm -rf .venv
    "$python" -m venv --without-pip .venv
fi
echo "Installing the locked packages ..."
[ -x .venv/bin/uv ] || pip_install --require-hashes -r requirements/bootstrap.txt || true
if ! uv_install --require-hashes -r requirements/dev.txt; then
    echo "uv could not do it (no wheel for this machine, or an index that only pip is told of): pip tries ..."
    pip_install --require-hashes -r requirements/dev.txt
fi
uv_install --no-build-isolation --no-deps --editable . || pip_install --no-build-isolation --no-deps --editable .
touch .venv/.ready
