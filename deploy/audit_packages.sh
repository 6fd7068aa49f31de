#!/bin/sh
# Ask for known vulnerabilities of what is locked. 0: none, or nobody could be asked (said so); 1: there are some.
set -eu
cd "$(dirname "$0")/.."
LOCK=${1:-requirements/embedded.txt}

if ! .venv/bin/uv tool run --quiet pip-audit --version >/dev/null 2>&1; then
    echo "audit skipped: pip-audit cannot be fetched here."
    exit 0
fi
report=$(mktemp)
trap 'rm -f "$report"' EXIT
if .venv/bin/uv tool run --quiet pip-audit --disable-pip --require-hashes --progress-spinner off -r "$LOCK" >"$report" 2>&1; then
    cat "$report"
    if grep -q 'could not be audited' "$report"; then
        echo "audit incomplete: this index tells nothing of vulnerabilities of the packages named above."
    fi
elif grep -Eq 'ConnectionError|ServiceError|Failed to connect|Max retries|HTTPError' "$report"; then
    echo "audit skipped: the index of vulnerabilities does not answer."
else
    cat "$report"
    exit 1
fi
