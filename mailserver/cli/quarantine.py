"""`mailserver quarantine ...`: messages that a filter keeps from their recipients."""

from typing import Annotated, Any

import typer

from mailserver.cli.context import caller, perform
from mailserver.cli.output import AsJson, print_json, print_list

app = typer.Typer(no_args_is_help=True, help="Messages that are kept from their recipients.")
Id = Annotated[str, typer.Argument(metavar="ID", help="As in the list.")]
Account = Annotated[str, typer.Option(help="What this account may see and do, if users may.")]
_COLUMNS = ("id", "at", "sender", "recipients", "subject", "reason", "size")
_HEAD = ("id", "at", "sender", "recipients", "reason", "symbols", "size")


@app.command("list")
def list_(
    context: typer.Context,
    account: Account = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 1_000,
    as_json: AsJson = False,
) -> None:
    """What is kept, the oldest first."""
    rows = perform(context.obj, "quarantine.list", {"account": account, "limit": limit})
    if not as_json:
        rows = [{**row, "subject": _plain(row["subject"])} for row in rows]
    print_list(rows, _COLUMNS, as_json)


@app.command()
def show(context: typer.Context, id_: Id, account: Account = "", as_json: AsJson = False) -> None:
    """A message as text that is safe to look at."""
    found = perform(context.obj, "quarantine.show", {"id": id_, "account": account})
    if as_json:
        print_json(found)
        return
    for name in _HEAD:
        print(f"{name}: {_words(found[name])}")
    for part in ("header", "text"):
        print()
        print("\n".join(found[part]))
    for link in found["links"]:
        print(f"link: {link}")
    for one in found["attachments"]:
        print(f"attachment: {one['name']} {one['type']} {one['kind']} {one['size']} octets")
    if not found["whole"]:
        print("(there is more that is not shown)")


@app.command()
def release(
    context: typer.Context,
    id_: Id,
    learn: Annotated[bool, typer.Option("--learn", help="And learn that it is no spam.")] = False,
    account: Account = "",
) -> None:
    """Deliver a message to its recipients after all."""
    args = {"id": id_, "learn": learn, "by": caller(), "account": account}
    perform(context.obj, "quarantine.release", args)


@app.command()
def delete(context: typer.Context, id_: Id, account: Account = "") -> None:
    """Remove a message for good; nobody is told."""
    args = {"id": id_, "by": caller(), "account": account}
    perform(context.obj, "quarantine.delete", args)


def _words(value: Any) -> str:
    return ", ".join(map(_plain, value)) if isinstance(value, list) else _plain(str(value))


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)
