"""What a person sees when the platform is ready: addresses, the key's place, and the demonstration district's classes."""

import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from contracts.classes import VillageClass

DEMONSTRATION_DISTRICT = "33.26"


def asked(gateway_url: str, key: str, path: str) -> dict[str, Any] | None:
    """The gateway's answer to a GET, as any client gets it; None if there is none."""
    connection = http.client.HTTPConnection(urlsplit(gateway_url).netloc, timeout=10)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
        response = connection.getresponse()
        content = response.read()
        answer: dict[str, Any] | None = json.loads(content) if response.status == http.HTTPStatus.OK else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    return answer


def demonstration_counts(gateway_url: str, key: str) -> dict[str, Any] | None:
    """Class counts of the demonstration district as the scoring service answers them through the gateway."""
    counts = asked(gateway_url, key, f"/api/v1/class-counts?region={DEMONSTRATION_DISTRICT}")
    return None if counts is None else counts["total"]


def summary(gateway_url: str, admin_key_file: Path) -> str:
    """The text printed at the end of every start."""
    lines = [
        f"Gateway              {gateway_url}",
        f"Documentation        {gateway_url}/docs",
        f"Administrator's key  {admin_key_file}",
    ]
    key = admin_key_file.read_text().strip() if admin_key_file.exists() else ""
    counts = demonstration_counts(gateway_url, key)
    if counts is None:
        lines.append(f"Classes of {DEMONSTRATION_DISTRICT} could not be read with that key.")
    elif counts["total"]:
        classes = ", ".join(f"{counts['classes'][kind]['count']} {kind}" for kind in VillageClass)
        lines.append(
            f"Demonstration        {counts['region_name']} ({counts['region_code']}), {counts['total']} villages, simulated: {classes}"
        )
        lines += _determined(gateway_url, key)
    return "\n".join(lines)


def _determined(gateway_url: str, key: str) -> list[str]:
    """A line on the demonstration district's newest determination, if it has one."""
    path = f"/api/v1/determinations?region={DEMONSTRATION_DISTRICT}&replaced=false&limit=1"
    found = (asked(gateway_url, key, path) or {"items": []})["items"]
    headers = [one["header"] for one in found]
    return [
        f"Determination        {one['region_name']} {one['period']}, {one['counts']['villages']} villages, "
        f"decree {one['decree']['number']}{', simulated' if one['simulated'] else ''}: kkb determinations show {one['id']}"
        for one in headers
    ]
