"""`mailserver queue rule ...`: standing rules that put newly queued mail on hold."""

from typing import Annotated

import typer

from mailserver.cli.context import caller, perform
from mailserver.cli.output import AsJson, print_list, print_one
from mailserver.cli.queue_options import Account, Domain, Recipient, Sender

app = typer.Typer(no_args_is_help=True, help="Rules that put newly queued mail on hold.")


@app.command()
def add(
    context: typer.Context,
    sender: Sender = None,
    recipient: Recipient = None,
    domain: Domain = None,
    account: Account = None,
    all_: Annotated[bool, typer.Option("--all", help="All mail, without a filter.")] = False,
    reason: Annotated[str, typer.Option(help="Why, for `queue why` and the list.")] = "",
    as_json: AsJson = False,
) -> None:
    """Hold recipients that are queued from here on and fit every option, until `queue release`."""
    wanted = {"sender": sender, "recipient": recipient, "domain": domain, "account": account}
    args = {**wanted, "all": all_, "reason": reason, "by": caller()}
    print_one(perform(context.obj, "queue.rule.add", args), as_json)


@app.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """All rules, the oldest first."""
    columns = ("id", "sender", "recipient", "domain", "account", "reason", "by", "created")
    print_list(perform(context.obj, "queue.rule.list", {}), columns, as_json)


@app.command()
def delete(
    context: typer.Context,
    id_: Annotated[str, typer.Argument(metavar="RULE", help="Number of the rule.")],
) -> None:
    """End a rule; what it held stays on hold until `queue release`."""
    perform(context.obj, "queue.rule.delete", {"id": id_})
