"""Start the scoring service: `python -m services.scoring`."""

from kit.process import run
from kit.settings import ServiceSettings
from services.scoring.service import SERVICE

if __name__ == "__main__":
    run(SERVICE, ServiceSettings())
