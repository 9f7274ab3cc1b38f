"""`mailserver block ...`: networks that may not connect."""

import time
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Annotated

import typer

from config.units import parse_duration
from mailserver.cli.context import perform
from mailserver.cli.output import AsJson, print_list

app = typer.Typer(no_args_is_help=True, help="Networks that may not connect.")
Net = Annotated[str, typer.Argument(help='An address or network such as "192.0.2.0/24".')]


@app.command()
def add(
    context: typer.Context,
    network: Net,
    until: Annotated[
        str | None, typer.Option(help='When it ends: "2h", "7d", or an RFC 3339 time.')
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for the list and the log.")] = "",
) -> None:
    """Refuse a network; its open connections end."""
    args = {"network": _network(network), "until": _time(until), "reason": reason}
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


def _time(text: str | None) -> float | None:
    """Seconds since 1970 of a time, or of now and a duration."""
    if text is None:
        return None
    try:
        return time.time() + parse_duration(text)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        allowed = 'a duration such as "2h" or a time such as "2026-01-02T03:04:05Z"'
        raise typer.BadParameter(allowed, param_hint="--until") from None
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
