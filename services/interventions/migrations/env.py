"""Alembic's environment of the interventions service."""

from kit.migrations import run_environment

run_environment()
