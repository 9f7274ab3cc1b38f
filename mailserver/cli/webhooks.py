"""`mailserver webhook ...`: programs that are told what happens to the mail of an account."""

from typing import Annotated

import typer

from mailserver.cli.context import perform
from mailserver.cli.output import AsJson, print_json, print_list
from mailserver.cli.sieve import Address

app = typer.Typer(no_args_is_help=True, help="Programs that are told what happens to mail.")
Number = Annotated[int, typer.Argument(metavar="ID", help="As `webhook list` shows it.")]
_COLUMNS = ("id", "url", "events", "state", "failing")
_EVENTS = ("created", "type", "state", "tries", "answer", "id")


@app.command()
def add(
    context: typer.Context,
    address: Address,
    url: Annotated[str, typer.Argument(help="An address with https.")],
    event: Annotated[
        list[str] | None, typer.Option(help="message.received, .delivered or .bounced; else all.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell a program; shows the secret that signs, once."""
    args = {"address": address, "url": url, "events": event or []}
    made = perform(context.obj, "webhook.add", args)
    if as_json:
        print_json(made)
    else:
        typer.echo(f"{made['id']}\t{made['secret']}")


@app.command("list")
def list_(context: typer.Context, address: Address, as_json: AsJson = False) -> None:
    """The webhooks of an account."""
    print_list(perform(context.obj, "webhook.list", {"address": address}), _COLUMNS, as_json)


@app.command()
def log(context: typer.Context, address: Address, number: Number, as_json: AsJson = False) -> None:
    """What it was told last, and what waits."""
    found = perform(context.obj, "webhook.log", {"address": address, "id": number})
    print_list(found, _EVENTS, as_json)


@app.command()
def test(context: typer.Context, address: Address, number: Number) -> None:
    """Tell it something that says nothing."""
    perform(context.obj, "webhook.test", {"address": address, "id": number})


@app.command()
def enable(context: typer.Context, address: Address, number: Number) -> None:
    """Switch on again what was switched off."""
    perform(context.obj, "webhook.enable", {"address": address, "id": number})


@app.command()
def delete(context: typer.Context, address: Address, number: Number) -> None:
    """Tell it nothing more."""
    perform(context.obj, "webhook.delete", {"address": address, "id": number})
