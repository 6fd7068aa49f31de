"""One role and one database per service: nobody reads another service's tables."""

from pathlib import Path

from deploy.embedded.secrets import kept_password
from deploy.embedded.servers import EmbeddedPostgres

SERVICES = ("registry", "interventions", "scoring", "gateway")

# Passwords come in over standard input, never on a command line, and are hexadecimal.
_ROLE = r"""
SELECT 'CREATE ROLE kkb_{service} LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'kkb_{service}') \gexec
ALTER ROLE kkb_{service} PASSWORD '{password}';
"""
_DATABASE = r"""
SELECT 'CREATE DATABASE kkb_{service} OWNER kkb_{service}'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'kkb_{service}') \gexec
REVOKE ALL ON DATABASE kkb_{service} FROM PUBLIC;
"""
_NOBODY_ELSE = "REVOKE ALL ON DATABASE postgres FROM PUBLIC; REVOKE ALL ON DATABASE template1 FROM PUBLIC;"


def ensure_roles(postgres: EmbeddedPostgres, secrets_dir: Path) -> dict[str, str]:
    """Makes the roles kkb_<service> where they are missing and sets their kept passwords; returns service -> password."""
    passwords = {service: kept_password(secrets_dir / f"database-{service}.password") for service in SERVICES}
    script = "".join(_ROLE.format(service=service, password=password) for service, password in passwords.items())
    postgres.sql(script + _NOBODY_ELSE)
    return passwords


def ensure_databases(postgres: EmbeddedPostgres, secrets_dir: Path) -> dict[str, str]:
    """Makes roles and databases where they are missing; returns service -> SQLAlchemy address."""
    passwords = ensure_roles(postgres, secrets_dir)
    postgres.sql("".join(_DATABASE.format(service=service) for service in SERVICES))
    return {service: postgres.url(f"kkb_{service}", passwords[service], f"kkb_{service}") for service in SERVICES}
