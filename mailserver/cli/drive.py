"""`mailserver drive ...`: files, attachments and links of accounts."""

import sys
from typing import Annotated

import typer

from config.units import parse_duration
from mailserver.cli.context import perform
from mailserver.cli.output import AsJson, print_list, print_one
from mailserver.cli.sieve import Address

app = typer.Typer(no_args_is_help=True, help="Files, attachments and links of an account.")
ItemName = Annotated[str, typer.Argument(help="The id of a file or attachment.")]
LinkName = Annotated[str, typer.Argument(help="The id of a link.")]
_ITEMS = ("id", "name", "folder", "size", "type", "state", "created")
_LINKS = ("id", "item", "name", "expires", "revoked", "downloads", "note")
_READS = ("at", "address", "agent", "status")


@app.command("list")
def list_(context: typer.Context, address: Address, as_json: AsJson = False) -> None:
    """Files and attachments, the newest first."""
    print_list(perform(context.obj, "drive.list", {"address": address}), _ITEMS, as_json)


@app.command()
def links(context: typer.Context, address: Address, as_json: AsJson = False) -> None:
    """Links, the newest first, with those that are good no more."""
    print_list(perform(context.obj, "drive.links", {"address": address}), _LINKS, as_json)


@app.command()
def link(
    context: typer.Context,
    address: Address,
    item: ItemName,
    lasts: Annotated[str, typer.Option("--for", help='How long it is good: "2h", "7d".')] = "",
    inline: Annotated[bool, typer.Option(help="Let browsers show pictures and text.")] = False,
    users: Annotated[bool, typer.Option(help="Only for who logs in here.")] = False,
    password_stdin: Annotated[bool, typer.Option(help="Its password is on stdin.")] = False,
    most: Annotated[int, typer.Option(help="How many downloads; 0 is any number.", min=0)] = 0,
    note: Annotated[str, typer.Option(help="What it is for.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make a link for others; its URL is shown."""
    try:
        seconds = parse_duration(lasts) if lasts else 0.0
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--for") from None
    args = {
        "address": address,
        "item": item,
        "seconds": seconds,
        "inline": inline,
        "users": users,
        "password": sys.stdin.readline().rstrip("\n") if password_stdin else "",
        "most": most,
        "note": note,
    }
    print_one(perform(context.obj, "drive.link", args), as_json)


@app.command()
def reads(
    context: typer.Context, address: Address, number: LinkName, as_json: AsJson = False
) -> None:
    """Who read by a link, the newest first."""
    args = {"address": address, "id": number}
    print_list(perform(context.obj, "drive.reads", args), _READS, as_json)


@app.command()
def revoke(context: typer.Context, address: Address, number: LinkName) -> None:
    """End a link at once."""
    perform(context.obj, "drive.revoke", {"address": address, "id": number})


@app.command()
def keep(
    context: typer.Context,
    address: Address,
    item: ItemName,
    folder: Annotated[str, typer.Option(help="Where to.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make a file of an attachment, which stays when the mail is gone."""
    args = {"address": address, "item": item, "folder": folder}
    print_one(perform(context.obj, "drive.keep", args), as_json)


@app.command()
def delete(context: typer.Context, address: Address, item: ItemName) -> None:
    """Remove a file, with its links."""
    perform(context.obj, "drive.delete", {"address": address, "item": item})


@app.command()
def rotate(
    context: typer.Context,
    forget: Annotated[bool, typer.Option(help="End all links that there are.")] = False,
    as_json: AsJson = False,
) -> None:
    """Sign links with another key from now on."""
    print_one(perform(context.obj, "drive.rotate", {"forget": forget}), as_json)


@app.command()
def gc(context: typer.Context, as_json: AsJson = False) -> None:
    """Remove at once what nothing needs any more."""
    print_one(perform(context.obj, "drive.gc", {}), as_json)
