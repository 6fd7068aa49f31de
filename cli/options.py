"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Jawaban apa adanya sebagai JSON")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="Paling banyak sekian baris")]
Region = Annotated[str | None, typer.Option("--region", help="Kode wilayah Kemendagri, seperti 76 atau 33.26")]

DEFAULT_LIMIT = 200
