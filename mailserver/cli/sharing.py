"""`mailserver account share ...`: who sees an account's mailboxes."""

from typing import Annotated

import typer

from mailserver.cli.context import caller, perform
from mailserver.cli.output import AsJson, print_list

app = typer.Typer(no_args_is_help=True, help="Access control lists of mailboxes (RFC 4314).")
Address = Annotated[str, typer.Argument(help="The account whose mailbox it is.")]
Box = Annotated[str, typer.Argument(metavar="MAILBOX", help='As IMAP names it: "INBOX", "A/B".')]
Who = Annotated[str, typer.Argument(help="An account's address, or anyone; takes away behind -.")]
_COLUMNS = ("mailbox", "identifier", "rights")


@app.command("list")
def list_(
    context: typer.Context,
    address: Address,
    mailbox: Annotated[str, typer.Argument(help="One; without, all that are shared.")] = "",
    as_json: AsJson = False,
) -> None:
    """Who has which rights."""
    args = {"address": address, "mailbox": mailbox}
    print_list(perform(context.obj, "account.share.list", args), _COLUMNS, as_json)


@app.command("set", context_settings={"ignore_unknown_options": True})
def set_(
    context: typer.Context,
    address: Address,
    mailbox: Box,
    identifier: Who,
    rights: Annotated[str, typer.Argument(help='Letters: "lrs", or "+w", "-t".')],
) -> None:
    """Give rights, add some (+) or take some away (-)."""
    args = {"address": address, "mailbox": mailbox, "identifier": identifier, "rights": rights}
    perform(context.obj, "account.share.set", {**args, "by": caller()})


@app.command(context_settings={"ignore_unknown_options": True})
def delete(context: typer.Context, address: Address, mailbox: Box, identifier: Who) -> None:
    """Remove an entry."""
    args = {"address": address, "mailbox": mailbox, "identifier": identifier, "by": caller()}
    perform(context.obj, "account.share.delete", args)
