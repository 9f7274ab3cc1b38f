"""`mailserver contact ...`: address books of accounts."""

from typing import Annotated

import typer

from mailserver.cli.context import fail, perform
from mailserver.cli.output import AsJson, print_list

app = typer.Typer(no_args_is_help=True, help="Address books of accounts.")
Address = Annotated[str, typer.Argument(help="The account's full address.")]


@app.command("list")
def list_(context: typer.Context, address: Address, as_json: AsJson = False) -> None:
    """The people in an address book, and the groups that they are in."""
    rows = perform(context.obj, "contact.list", {"address": address})
    print_list(rows, ("name", "emails", "groups"), as_json)


@app.command()
def written(context: typer.Context, address: Address, as_json: AsJson = False) -> None:
    """Whom the account wrote to, how often and when last."""
    rows = perform(context.obj, "contact.written", {"address": address})
    print_list(rows, ("address", "count", "first", "last"), as_json)


@app.command()
def add(
    context: typer.Context,
    address: Address,
    email: Annotated[str, typer.Argument(help="The address of the person.")],
    name: Annotated[str, typer.Option(help="The person's name.")] = "",
    group: Annotated[
        list[str] | None, typer.Option(help="A group to be in, may be repeated.")
    ] = None,
) -> None:
    """Add a person, or give one another name and more groups."""
    args = {"address": address, "email": email, "name": name, "groups": group or []}
    perform(context.obj, "contact.add", args)


@app.command()
def delete(
    context: typer.Context,
    address: Address,
    email: Annotated[str | None, typer.Argument(help="The address of the person.")] = None,
    group: Annotated[str | None, typer.Option(help="A group; its people stay.")] = None,
) -> None:
    """Remove a person, or a group."""
    if (email is None) == (group is None):
        fail("name an address, or a group with --group", 2)
    perform(context.obj, "contact.delete", {"address": address, "email": email, "group": group})
