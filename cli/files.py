"""Files that commands write."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from cli.failures import Failure
from cli.screen import console, number


def ending_of(out: Path, endings: Collection[str]) -> str:
    """The file's ending, which says in what form it is wanted.

    Raises:
        Failure: it is none of these.
    """
    ending = out.suffix.lower()
    if ending not in endings:
        raise Failure(f"Akhiran berkas menentukan bentuknya: {', '.join(endings)}; bukan {out.name}")
    return ending


def write_new(out: Path, content: bytes) -> None:
    """Write a file that was not there.

    Raises:
        Failure: there is one of this name, or it cannot be written.
    """
    try:
        with out.open("xb") as file:
            file.write(content)
    except FileExistsError as error:
        raise Failure(f"{out} sudah ada; sebutkan berkas baru.") from error
    except OSError as error:
        raise Failure(f"{out} tidak dapat ditulis: {error.strerror}.") from error


def save(out: Path, content: bytes) -> None:
    """Write a file that was not there, and say so.

    Raises:
        Failure: there is one of this name, or it cannot be written.
    """
    write_new(out, content)
    console().print(f"{out}: {number(len(content))} bita.", soft_wrap=True)
