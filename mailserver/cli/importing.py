"""`mailserver import ...`: mail from other programs."""

from pathlib import Path
from typing import Annotated, Any

import typer

from mailserver.cli.context import fail, perform
from mailserver.cli.output import AsJson, print_one

app = typer.Typer(no_args_is_help=True, help="Import mail, keeping flags, dates and folders.")
Source = Annotated[Path, typer.Argument(metavar="PATH")]
Address = Annotated[str, typer.Argument(help="The account that receives the mail.")]


def _import(context: typer.Context, kind: str, path: Path, address: str, as_json: bool) -> None:
    if not path.exists():
        fail(f"{path}: there is no such file or folder")
    args: dict[str, Any] = {"kind": kind, "path": str(path.resolve()), "address": address}
    print_one(perform(context.obj, "import", args), as_json)


@app.command()
def maildir(
    context: typer.Context, path: Source, address: Address, as_json: AsJson = False
) -> None:
    """A Maildir, a Maildir++ tree, or Dovecot's (UIDs and keywords kept)."""
    _import(context, "maildir", path, address, as_json)


@app.command()
def mbox(context: typer.Context, path: Source, address: Address, as_json: AsJson = False) -> None:
    """One mbox file, or a folder of them."""
    _import(context, "mbox", path, address, as_json)
