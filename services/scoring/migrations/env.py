"""Alembic's environment of the scoring service."""

from kit.migrations import run_environment

run_environment()
