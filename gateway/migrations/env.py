"""Alembic's environment of the gateway."""

from kit.migrations import run_environment

run_environment()
