"""`mailserver account sending ...`: who sends for whom."""

from typing import Annotated

import typer

from mailserver.cli.context import caller, perform
from mailserver.cli.output import AsJson, print_list

app = typer.Typer(no_args_is_help=True, help="Who may send for an account.")
Owner = Annotated[str, typer.Argument(help="The account for which is sent.")]
Delegate = Annotated[str, typer.Argument(help="The account that sends.")]


@app.command()
def allow(
    context: typer.Context,
    owner: Owner,
    delegate: Delegate,
    on_behalf: Annotated[
        bool, typer.Option("--on-behalf", help="With the delegate's address in Sender.")
    ] = False,
) -> None:
    """Let an account send as another one, with its addresses."""
    args = {"owner": owner, "delegate": delegate, "on_behalf": on_behalf, "by": caller()}
    perform(context.obj, "account.sending.allow", args)


@app.command("list")
def list_(
    context: typer.Context,
    owner: Annotated[str, typer.Argument(help="One account's; all without.")] = "",
    as_json: AsJson = False,
) -> None:
    """Who may send for whom."""
    columns = ("owner", "delegate", "on_behalf", "created")
    found = perform(context.obj, "account.sending.list", {"owner": owner})
    print_list(found, columns, as_json)


@app.command()
def revoke(context: typer.Context, owner: Owner, delegate: Delegate) -> None:
    """Take it back; it holds for the next message, on open connections too."""
    args = {"owner": owner, "delegate": delegate, "by": caller()}
    perform(context.obj, "account.sending.revoke", args)
