"""`mailserver queue suppress ...`: addresses to which nothing is sent any more."""

from typing import Annotated

import typer

from mailserver.cli.context import perform
from mailserver.cli.output import AsJson, print_list
from mailserver.cli.until import Until, time_of

app = typer.Typer(no_args_is_help=True, help="Addresses to which nothing is sent any more.")
Address = Annotated[str, typer.Argument(help="An address elsewhere, or @DOMAIN for all of it.")]


@app.command()
def add(
    context: typer.Context,
    address: Address,
    until: Until = None,
    reason: Annotated[str, typer.Option(help="Why; senders are told.")] = "",
) -> None:
    """Send nothing there any more; who tries gets a report of failure at once."""
    args = {"address": address, "until": time_of(until), "reason": reason}
    perform(context.obj, "suppress.add", args)


@app.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """All of them in force, and whether a command or failures brought them there."""
    columns = ("address", "until", "reason", "origin", "created")
    print_list(perform(context.obj, "suppress.list", {}), columns, as_json)


@app.command()
def delete(context: typer.Context, address: Address) -> None:
    """Send there again."""
    perform(context.obj, "suppress.delete", {"address": address})
