"""`mailserver account invite ...`: invites to sign up."""

from typing import Annotated

import typer

from mailserver.cli.context import perform
from mailserver.cli.output import AsJson, print_list, print_one
from mailserver.cli.until import Until, time_of

app = typer.Typer(no_args_is_help=True, help='Invites to sign up while auth.signup is "invite".')
_COLUMNS = ("id", "note", "created", "expires", "account")


@app.command()
def add(
    context: typer.Context,
    note: Annotated[str, typer.Option(help="Whom it is for.")] = "",
    until: Until = None,
    as_json: AsJson = False,
) -> None:
    """Make one for one account, good for a week; its code is shown once."""
    args = {"note": note, "expires": time_of(until)}
    print_one(perform(context.obj, "account.invite.add", args), as_json)


@app.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """All of them, and which accounts came of them."""
    print_list(perform(context.obj, "account.invite.list", {}), _COLUMNS, as_json)


@app.command()
def delete(
    context: typer.Context, number: Annotated[int, typer.Argument(metavar="ID", min=1)]
) -> None:
    """Remove one; an account that came of it stays."""
    perform(context.obj, "account.invite.delete", {"id": number})
