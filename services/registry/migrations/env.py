"""Alembic's environment of the registry."""

from kit.migrations import run_environment

run_environment()
