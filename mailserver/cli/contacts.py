"""`mailserver contact ...`: address books of accounts."""

from pathlib import Path
from typing import Annotated

import typer

from mailserver.cli.context import fail, perform
from mailserver.cli.output import AsJson, print_list, print_one

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


@app.command()
def books(context: typer.Context, address: Address, as_json: AsJson = False) -> None:
    """The address books of an account."""
    rows = perform(context.obj, "contact.books", {"address": address})
    print_list(rows, ("id", "name", "cards", "default"), as_json)


@app.command("import")
def import_(
    context: typer.Context,
    address: Address,
    path: Annotated[Path, typer.Argument(help="vCard, or CSV of Google or Outlook.")],
    as_json: AsJson = False,
) -> None:
    """Contacts of a file into the default book; those that are there are brought up to date."""
    args = {"address": address, "path": str(path.resolve())}
    print_one(perform(context.obj, "contact.import", args), as_json)


@app.command()
def export(
    context: typer.Context,
    address: Address,
    path: Annotated[Path, typer.Argument(help="A new file.")],
    kind: Annotated[
        str, typer.Option("--format", help="vcard, google or outlook (both CSV).")
    ] = "vcard",
) -> None:
    """All contacts into a file."""
    args = {"address": address, "path": str(path.resolve()), "format": kind}
    perform(context.obj, "contact.export", args)


@app.command()
def duplicates(
    context: typer.Context,
    address: Address,
    merge: Annotated[bool, typer.Option(help="Make one of each.")] = False,
    as_json: AsJson = False,
) -> None:
    """Contacts that seem to be one person: an address or the whole name in common."""
    rows = perform(context.obj, "contact.duplicates", {"address": address, "merge": merge})
    print_list(rows, ("ids", "names"), as_json)


@app.command()
def collect(context: typer.Context, address: Address, as_json: AsJson = False) -> None:
    """Put whom the account wrote to, and who is in no book, into the book "Seen"."""
    print_one(perform(context.obj, "contact.collect", {"address": address}), as_json)


@app.command()
def complete(
    context: typer.Context,
    address: Address,
    text: Annotated[str, typer.Argument(help="Beginnings of words.")],
    as_json: AsJson = False,
) -> None:
    """Addresses by what is typed of them or of a name."""
    rows = perform(context.obj, "contact.complete", {"address": address, "text": text})
    print_list(rows, ("name", "address", "written"), as_json)


@app.command()
def versions(context: typer.Context, address: Address, as_json: AsJson = False) -> None:
    """What changes replaced or removed, the last first."""
    rows = perform(context.obj, "contact.versions", {"address": address})
    print_list(rows, ("id", "contact", "name", "replaced"), as_json)


@app.command()
def restore(
    context: typer.Context,
    address: Address,
    version: Annotated[int, typer.Argument(help="An id of `contact versions`.")],
) -> None:
    """Make a contact again what it was."""
    perform(context.obj, "contact.restore", {"address": address, "version": version})
