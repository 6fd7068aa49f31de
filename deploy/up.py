"""`python -m deploy.up`: the whole platform on this machine, until Ctrl-C."""

import sys

from deploy.embedded.problems import StartProblem
from deploy.embedded.settings import read_settings
from deploy.embedded.supervisor import run


def main() -> int:
    """Exit code 0 after a requested stop, 1 with one clear line if the platform could not start or keep running."""
    try:
        run(read_settings())
    except StartProblem as problem:
        print(problem, file=sys.stderr, flush=True)
        return 1
    except PermissionError as error:
        print(
            f"No permission for {error.filename}: it belongs to another user, or set KKB_DATA_DIR to another folder.",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:  # before anything was started
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
