"""`mailserver explain`: what happened to a message, in order of time."""

from typing import Annotated

import typer

from mailserver.cli.context import fail, perform
from mailserver.cli.output import AsJson, print_json


def explain(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="[MESSAGE-ID|QUEUE-ID]",
            help="Also the id of a 250 or of a refusal.",
            show_default=False,
        ),
    ] = "",
    account: Annotated[str, typer.Option(help="Instead: whose mailbox it is in.")] = "",
    mailbox: Annotated[str, typer.Option(help="The mailbox, with --account.")] = "INBOX",
    uid: Annotated[int, typer.Option(help="The UID, with --account.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Everything that happened to a message, from the peer's address to the last client action."""
    if bool(name) == bool(account and uid):
        fail("name a message, or give --account and --uid", 2)
    args = {"id": name, "account": account, "mailbox": mailbox, "uid": uid}
    found = perform(context.obj, "explain", args)
    if as_json:
        print_json(found)
        return
    for number, one in enumerate(found):
        if number:
            print()
        named = f" {one['message_id']}" if one["message_id"] else ""
        print(f"message {one['id']}{named}")
        for line in one["happenings"]:
            print(f"{line['at']}  {line['text']}")
