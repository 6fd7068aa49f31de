"""What goes wrong in a way a person should read about: one clear message in Indonesian, exit code 1, no traceback."""

from __future__ import annotations

from typing import Any

from cli.words import PROBLEMS


class Failure(Exception):
    """Ends the command with its message."""


class Unreachable(Failure):
    """No gateway answers."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(
            f"Gateway tidak terjangkau di {url} ({why}). Jalankan `make up`, atau sebutkan --url / KKB_URL."
        )


class Refused(Failure):
    """The gateway answered with a problem document (RFC 9457)."""

    def __init__(self, status: int, problem: dict[str, Any], request_id: str | None) -> None:
        self.status = status
        self.slug = str(problem.get("type", "")).rpartition(":")[2]
        self.detail = str(problem.get("detail") or problem.get("title") or "")
        super().__init__("\n".join(_lines(status, self.slug, problem, request_id)))


def _lines(status: int, slug: str, problem: dict[str, Any], request_id: str | None) -> list[str]:
    title, errors = problem.get("title"), problem.get("errors") or []
    lines = [f"{PROBLEMS.get(slug, 'Permintaan tidak berhasil')} ({status})."]
    if title:
        lines.append(f"  {title}")
    # With field errors the detail only repeats the first of them.
    if problem.get("detail") and not errors:
        lines.append(f"  {problem['detail']}")
    if problem.get("existing_id"):
        lines.append(f"  Yang sudah ada: {problem['existing_id']}")
    lines += [f"  - {error.get('pointer')}: {error.get('detail')}" for error in errors]
    if request_id:
        lines.append(f"  Nomor permintaan: {request_id}")
    return lines
