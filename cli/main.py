"""`kkb`: puts the commands together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cli import (
    accounts,
    audit,
    dead_letters,
    determinations,
    import_siga,
    imports,
    keys,
    me,
    rebuild,
    recompute,
    rulesets,
    webhooks,
)
from cli.access import DEFAULT_URL, Access
from cli.assessments import list_assessments
from cli.changes import show_changes
from cli.checksums import compare_checksums
from cli.classes import show_classes
from cli.explain import explain_village
from cli.failures import Failure
from cli.findings import list_findings
from cli.history import show_history, show_trend
from cli.path import show_path
from cli.readiness import show_readiness
from cli.screen import console
from cli.villages import list_villages
from cli.what_if import ask_what_if


class _Commands(TyperGroup):
    """The commands; a failure of any of them is one message and exit code 1."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except Failure as failure:
            console(stderr=True).print(str(failure), style="red", soft_wrap=True)
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=_Commands,
    help="Kampung Keluarga Berkualitas: impor, klasifikasi, dan penjelasannya dari baris perintah.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def access(
    ctx: typer.Context,
    url: Annotated[str, typer.Option(envvar="KKB_URL", help="Alamat gateway")] = DEFAULT_URL,
    key_file: Annotated[
        Path | None,
        typer.Option(
            envvar="KKB_KEY_FILE",
            help="Berkas berisi kunci; tanpa ini KKB_KEY, lalu .data/secrets/admin.key",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Kampung Keluarga Berkualitas: impor, klasifikasi, dan penjelasannya dari baris perintah."""
    ctx.obj = Access(url, key_file)


app.add_typer(import_siga.app, name="import")
app.command("classes")(show_classes)
app.command("assessments")(list_assessments)
app.command("readiness")(show_readiness)
app.command("explain")(explain_village)
app.command("what-if")(ask_what_if)
app.command("history")(show_history)
app.command("trend")(show_trend)
app.command("path")(show_path)
app.command("villages")(list_villages)
app.command("findings")(list_findings)
app.command("changes")(show_changes)
app.command("checksums")(compare_checksums)
app.add_typer(determinations.app, name="determinations")
app.add_typer(rulesets.app, name="rulesets")
app.add_typer(imports.app, name="imports")
app.add_typer(me.app, name="me")
app.add_typer(keys.app, name="keys")
app.add_typer(accounts.app, name="accounts")
app.add_typer(audit.app, name="audit")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(rebuild.app, name="rebuild")
app.add_typer(recompute.app, name="recompute")
app.command("re-emit")(rebuild.re_emit)


if __name__ == "__main__":
    app()
