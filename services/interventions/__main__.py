"""Start the interventions service: `python -m services.interventions`."""

from kit.process import run
from kit.settings import ServiceSettings
from services.interventions.service import SERVICE

if __name__ == "__main__":
    run(SERVICE, ServiceSettings())
