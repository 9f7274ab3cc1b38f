"""`mailserver queue ...`: the outbound queue."""

from typing import Annotated

import typer

from mailserver.cli.context import perform
from mailserver.cli.output import AsJson, print_list, print_one

app = typer.Typer(no_args_is_help=True, help="The outbound queue.")
Id = Annotated[str, typer.Argument(metavar="ID", help="Queue id.")]
AnyId = Annotated[str | None, typer.Argument(metavar="[ID]", help="Queue id; all without it.")]


@app.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """What waits to be sent."""
    rows = perform(context.obj, "queue.list", {})
    print_list(rows, ("id", "state", "sender", "size", "queued_at", "recipients"), as_json)


@app.command()
def show(context: typer.Context, id_: Id, as_json: AsJson = False) -> None:
    """One message with its recipients, attempts and last replies."""
    print_one(perform(context.obj, "queue.show", {"id": id_}), as_json)


@app.command()
def retry(context: typer.Context, id_: AnyId = None) -> None:
    """Try again at once."""
    perform(context.obj, "queue.retry", {"id": id_})


@app.command()
def hold(context: typer.Context, id_: AnyId = None) -> None:
    """Keep in the queue until released."""
    perform(context.obj, "queue.hold", {"id": id_})


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
