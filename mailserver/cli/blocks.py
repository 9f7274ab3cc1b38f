"""`mailserver block ...`: networks that may not connect."""

from ipaddress import ip_network
from typing import Annotated

import typer

from mailserver.cli.context import perform
from mailserver.cli.output import AsJson, print_list
from mailserver.cli.until import Until, time_of

app = typer.Typer(no_args_is_help=True, help="Networks that may not connect.")
Net = Annotated[str, typer.Argument(help='An address or network such as "192.0.2.0/24".')]


@app.command()
def add(
    context: typer.Context,
    network: Net,
    until: Until = None,
    reason: Annotated[str, typer.Option(help="Why, for the list and the log.")] = "",
) -> None:
    """Refuse a network; its open connections end."""
    args = {"network": _network(network), "until": time_of(until), "reason": reason}
    perform(context.obj, "block.add", args)


@app.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """All blocks in force, those of the configuration included."""
    columns = ("network", "until", "reason", "source", "created")
    print_list(perform(context.obj, "block.list", {}), columns, as_json)


@app.command()
def delete(context: typer.Context, network: Net) -> None:
    """Let a network in again that was blocked by command."""
    perform(context.obj, "block.delete", {"network": _network(network)})


def _network(text: str) -> str:
    try:
        return str(ip_network(text, strict=False))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="NETWORK") from None
