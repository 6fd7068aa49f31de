"""The container's health check: exit code 0 if this container's process says it is ready.

Run as `python -I -S`: without site packages and urllib it costs half the processor time, every few seconds in every container.
"""

import http.client
import os
import sys


def main() -> int:
    """1 when the process answers anything but 200 or nothing at all."""
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["KKB_OPS_PORT"]), timeout=4)
    try:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        print(response.read().decode())  # `docker inspect` keeps it: the reason for being unhealthy
    except (OSError, http.client.HTTPException) as error:
        print(error)
        return 1
    return 0 if response.status == http.HTTPStatus.OK else 1


if __name__ == "__main__":
    sys.exit(main())
