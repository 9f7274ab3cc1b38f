"""`mailserver alias ...`: aliases, groups and catch-all addresses."""

from typing import Annotated

import typer

from mailserver.cli.context import perform
from mailserver.cli.output import AsJson, print_list

app = typer.Typer(no_args_is_help=True, help="Aliases, groups and catch-all (@domain).")
Alias = Annotated[str, typer.Argument(help="An address, or @domain for everything else there.")]


@app.command()
def add(
    context: typer.Context,
    alias: Alias,
    targets: Annotated[list[str], typer.Argument(help="One address or more.")],
    send_as: Annotated[
        bool, typer.Option("--send-as", help="Members of the group may send as it.")
    ] = False,
) -> None:
    """Send an address's mail to one or more others."""
    perform(context.obj, "alias.add", {"alias": alias, "targets": targets, "send_as": send_as})


@app.command("set")
def set_(
    context: typer.Context,
    alias: Alias,
    send_as: Annotated[
        bool, typer.Option("--send-as/--no-send-as", help="Whether members may send as it.")
    ],
) -> None:
    """Let the members of a group send as it, or no longer."""
    perform(context.obj, "alias.set", {"alias": alias, "send_as": send_as})


@app.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """All aliases."""
    print_list(perform(context.obj, "alias.list", {}), ("alias", "targets", "send_as"), as_json)


@app.command()
def delete(context: typer.Context, alias: Alias) -> None:
    """Remove an alias."""
    perform(context.obj, "alias.delete", {"alias": alias})
