#!/bin/sh
# Writes .env with a new password for everybody who needs one; docker compose reads it. An existing .env is left as it is:
# PostgreSQL keeps the passwords of its first start, so new ones would lock the services out.
set -eu
umask 077
env_file=${1:-.env}

# 40 letters are 228 bits. Letters only: a password stands in an address (no escaping) and in nats.conf (never a number).
password() { LC_ALL=C tr -dc 'A-Za-z' </dev/urandom | head -c 40; }

if [ -e "$env_file" ] || [ -L "$env_file" ]; then
    echo "$env_file exists and is left as it is. For new passwords see docs/operating/containers.md." >&2
    exit 1
fi

unfinished=$(mktemp "$env_file.XXXXXX")
trap 'rm -f "$unfinished"' EXIT
{
    echo "# Passwords of this installation, made by 'make env'. Keep the file; it belongs in no repository and no mail."
    echo "POSTGRES_PASSWORD=$(password)"
    for service in REGISTRY INTERVENTIONS SCORING GATEWAY; do
        echo "${service}_DATABASE_PASSWORD=$(password)"
    done
    for service in REGISTRY INTERVENTIONS SCORING; do
        echo "${service}_NATS_PASSWORD=$(password)"
    done
    echo
    echo "# Where the gateway listens; 0.0.0.0 opens it to the office network."
    echo "#KKB_GATEWAY_HOST=127.0.0.1"
    echo "#KKB_GATEWAY_PORT=8080"
    echo "# Prometheus listens on 127.0.0.1 only."
    echo "#KKB_PROMETHEUS_PORT=9090"
    echo "#KKB_LOG_LEVEL=INFO"
} >"$unfinished"
ln "$unfinished" "$env_file" # unlike mv it never replaces a file that somebody else made meanwhile
echo "$env_file was written. Next: make compose-up"
