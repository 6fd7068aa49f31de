"""Start the registry: `python -m services.registry`."""

from kit.process import run
from kit.settings import ServiceSettings
from services.registry.service import SERVICE

if __name__ == "__main__":
    run(SERVICE, ServiceSettings())
