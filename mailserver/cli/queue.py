"""`mailserver queue ...`: the outbound queue."""

from typing import Annotated

import typer

from mailserver.cli import queue_rules, suppressing
from mailserver.cli.context import caller, perform
from mailserver.cli.output import AsJson, print_list, print_one
from mailserver.cli.queue_options import Account, Domain, Recipient, Sender
from mailserver.operations.queue_ages import MINUTES

app = typer.Typer(no_args_is_help=True, help="The outbound queue.")
app.add_typer(queue_rules.app, name="rule")
app.add_typer(suppressing.app, name="suppress")
Id = Annotated[str, typer.Argument(metavar="ID", help="Queue id.")]
AnyId = Annotated[str | None, typer.Argument(metavar="[ID]", help="Queue id; all without it.")]
State = Annotated[str | None, typer.Option(help="queued, deferred or held.")]


@app.command("list")
def list_(
    context: typer.Context,
    sender: Sender = None,
    recipient: Recipient = None,
    domain: Domain = None,
    account: Account = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """What waits to be sent: all, or what fits every option."""
    wanted = {"sender": sender, "recipient": recipient, "domain": domain, "account": account}
    wanted["state"] = state
    rows = perform(context.obj, "queue.list", wanted)
    print_list(rows, ("id", "state", "sender", "size", "queued_at", "recipients"), as_json)


@app.command()
def shape(
    context: typer.Context,
    by_sender: Annotated[bool, typer.Option("--by-sender", help="Domains of senders.")] = False,
    sender: Sender = None,
    domain: Domain = None,
    account: Account = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """How much waits for each domain, and for how long: recipients by age in minutes."""
    wanted = {"by_sender": by_sender, "sender": sender, "domain": domain, "account": account}
    wanted["state"] = state
    rows = perform(context.obj, "queue.shape", wanted)
    ages = [*(str(minutes) for minutes in MINUTES), f"{MINUTES[-1]}+"]
    if not as_json:
        rows = [{**row, **dict(zip(ages, row["ages"], strict=True))} for row in rows]
    print_list(rows, ("domain", "recipients", "octets", *ages), as_json)


@app.command()
def show(context: typer.Context, id_: Id, as_json: AsJson = False) -> None:
    """One message with its recipients, attempts and last replies."""
    print_one(perform(context.obj, "queue.show", {"id": id_}), as_json)


@app.command()
def why(context: typer.Context, id_: Id, as_json: AsJson = False) -> None:
    """Why a message waits: last replies, and hosts, TLS and state of each destination."""
    print_one(perform(context.obj, "queue.why", {"id": id_}), as_json)


@app.command()
def pools(context: typer.Context, as_json: AsJson = False) -> None:
    """The addresses that mail leaves from, and what they have sent and may send today."""
    columns = ("pool", "address", "name", "usable", "sent", "allowed")
    print_list(perform(context.obj, "queue.pools", {}), columns, as_json)


@app.command()
def retry(context: typer.Context, id_: AnyId = None) -> None:
    """Try again at once."""
    perform(context.obj, "queue.retry", {"id": id_})


@app.command()
def hold(context: typer.Context, id_: AnyId = None) -> None:
    """Keep in the queue until released."""
    perform(context.obj, "queue.hold", {"id": id_, "by": caller()})


@app.command()
def release(context: typer.Context, id_: AnyId = None) -> None:
    """Undo hold."""
    perform(context.obj, "queue.release", {"id": id_})


@app.command()
def bounce(context: typer.Context, id_: Id) -> None:
    """Give up on a message and tell its sender."""
    perform(context.obj, "queue.bounce", {"id": id_})


@app.command()
def cancel(
    context: typer.Context,
    id_: Annotated[str, typer.Argument(metavar="ID", help="Queue id, or the id of the 250.")],
    account: Annotated[str, typer.Option(help="Whose message it must be.")] = "",
) -> None:
    """Take back a message that waits for the time its sender set; nobody is told."""
    perform(context.obj, "queue.cancel", {"id": id_, "account": account})
