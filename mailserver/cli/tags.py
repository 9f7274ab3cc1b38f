"""`mailserver tags ...`: the tags of an account, and those that its mail gets by itself."""

from typing import Annotated, Any

import typer

from mailserver.cli.context import perform
from mailserver.cli.output import AsJson, print_json, print_list
from mailserver.cli.sieve import Address

app = typer.Typer(no_args_is_help=True, help="Tags of an account.")
Keyword = Annotated[str, typer.Argument(help="The IMAP keyword that messages carry.")]
_COLUMNS = ("keyword", "name", "colour", "by itself")


@app.command("list")
def list_(context: typer.Context, address: Address, as_json: AsJson = False) -> None:
    """The tags of an account, and how well they can be told."""
    _show(perform(context.obj, "tags.list", {"address": address}), as_json)


@app.command()
def add(
    context: typer.Context,
    address: Address,
    keyword: Keyword,
    name: Annotated[str, typer.Option(help="What people see.")] = "",
    colour: Annotated[str, typer.Option(help='"#rrggbb"')] = "",
) -> None:
    """Make or change a tag."""
    args = {"address": address, "keyword": keyword, "name": name, "colour": colour}
    perform(context.obj, "tags.add", args)


@app.command()
def delete(context: typer.Context, address: Address, keyword: Keyword) -> None:
    """Remove a tag; messages keep the keyword."""
    perform(context.obj, "tags.delete", {"address": address, "keyword": keyword})


@app.command()
def auto(
    context: typer.Context,
    address: Address,
    on: Annotated[bool, typer.Option("--on/--off", help="Whether mail is tagged by itself.")],
) -> None:
    """Let arriving mail get tags by itself, learned from what was tagged."""
    perform(context.obj, "tags.auto", {"address": address, "on": on})


@app.command()
def learn(context: typer.Context, address: Address, as_json: AsJson = False) -> None:
    """Learn the tags at once from the mail that is there."""
    _show(perform(context.obj, "tags.learn", {"address": address}), as_json)


@app.command()
def why(
    context: typer.Context,
    address: Address,
    uid: Annotated[int, typer.Argument(help="The message's UID.")],
    mailbox: Annotated[str, typer.Option(help="Where it is.")] = "INBOX",
    as_json: AsJson = False,
) -> None:
    """Say how well each tag fits a message, and what speaks for it."""
    args = {"address": address, "uid": uid, "mailbox": mailbox}
    found = perform(context.obj, "tags.why", args)
    if as_json:
        print_json(found)
        return
    for one in found:
        fits = "fits" if one["fits"] else "does not fit"
        print(f"{one['keyword']}: {fits}, {one['margin']:g} of {one['threshold']:g}")
        for text, weight in one["reasons"]:
            print(f"  {weight:+.3f}  {text}")


def _show(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    print(f"by itself: {'on' if found['auto'] else 'off'}")
    rows = [{**tag, "by itself": _words(tag["learned"])} for tag in found["tags"]]
    print_list(rows, _COLUMNS, as_json=False)


def _words(learned: dict[str, Any] | None) -> str:
    if learned is None:
        return "not learned"
    if not learned["used"]:
        return f"never: too uncertain from {learned['tagged']} messages"
    return f"{learned['right']} of {learned['given']} right, from {learned['tagged']} messages"
