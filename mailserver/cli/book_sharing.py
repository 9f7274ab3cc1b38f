"""`mailserver contact share ...`: who sees an account's address books."""

from typing import Annotated

import typer

from mailserver.cli.context import caller, perform
from mailserver.cli.output import AsJson, print_list

app = typer.Typer(no_args_is_help=True, help="Who sees address books of an account.")
Address = Annotated[str, typer.Argument(help="The account whose book it is.")]
Book = Annotated[str, typer.Argument(help='The last part of its path, such as "default".')]
Who = Annotated[str, typer.Argument(help="The other account's address.")]
_COLUMNS = ("book", "address", "rights")


@app.command("list")
def list_(context: typer.Context, address: Address, as_json: AsJson = False) -> None:
    """Who has which rights."""
    rows = perform(context.obj, "contact.share.list", {"address": address})
    print_list(rows, _COLUMNS, as_json)


@app.command("set")
def set_(
    context: typer.Context,
    address: Address,
    book: Book,
    who: Who,
    rights: Annotated[str, typer.Argument(help='"r" to see it, "rw" to change its cards.')],
) -> None:
    """Share a book, with these rights in place of those that there were."""
    args = {"address": address, "book": book, "who": who, "rights": rights, "by": caller()}
    perform(context.obj, "contact.share.set", args)


@app.command()
def delete(context: typer.Context, address: Address, book: Book, who: Who) -> None:
    """Share it with somebody no longer."""
    args = {"address": address, "book": book, "who": who, "rights": "", "by": caller()}
    perform(context.obj, "contact.share.set", args)
