"""`mailserver oauth ...`: programs that may ask users for tokens."""

from typing import Annotated

import typer

from mailserver.cli.context import perform
from mailserver.cli.output import AsJson, print_list, print_one

app = typer.Typer(no_args_is_help=True, help="Programs that ask users for OAuth tokens.")
clients = typer.Typer(no_args_is_help=True, help="The programs themselves.")
consents = typer.Typer(no_args_is_help=True, help="What accounts have allowed them.")
app.add_typer(clients, name="client")
app.add_typer(consents, name="consent")
_CLIENTS = ("id", "name", "confidential", "redirects", "scopes", "origin")
_CONSENTS = ("account", "client", "name", "scopes", "given")


@clients.command("add")
def client_add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="As users are shown it.")],
    redirect: Annotated[
        list[str] | None,
        typer.Option("--redirect", help="Where browsers go with the code, may be repeated."),
    ] = None,
    scope: Annotated[
        list[str] | None, typer.Option("--scope", help="What it may ask for, may be repeated; all.")
    ] = None,
    number: Annotated[str, typer.Option("--id", help="Its client_id; one is made up.")] = "",
    confidential: Annotated[
        bool, typer.Option("--confidential", help="It has a secret, which is shown once.")
    ] = False,
    introspects: Annotated[
        bool, typer.Option("--introspects", help="May ask about tokens of all clients.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make one; without --redirect it is for devices alone."""
    args = {
        "name": name,
        "redirects": redirect,
        "scopes": scope,
        "id": number,
        "confidential": confidential,
        "introspects": introspects,
    }
    print_one(perform(context.obj, "oauth.client.add", args), as_json)


@clients.command("list")
def client_list(context: typer.Context, as_json: AsJson = False) -> None:
    """All of them, those of the configuration too."""
    print_list(perform(context.obj, "oauth.client.list", {}), _CLIENTS, as_json)


@clients.command("delete")
def client_delete(
    context: typer.Context, number: Annotated[str, typer.Argument(metavar="ID")]
) -> None:
    """Remove one; tokens that it got end, and their connections close."""
    perform(context.obj, "oauth.client.delete", {"id": number})


@consents.command("list")
def consent_list(
    context: typer.Context,
    address: Annotated[str, typer.Argument(help="One account's; all without.")] = "",
    as_json: AsJson = False,
) -> None:
    """What accounts have allowed clients."""
    found = perform(context.obj, "oauth.consent.list", {"address": address})
    print_list(found, _CONSENTS, as_json)


@consents.command("revoke")
def consent_revoke(
    context: typer.Context,
    address: Annotated[str, typer.Argument(help="The account's full address.")],
    client: Annotated[str, typer.Argument(help="The client's id.")],
) -> None:
    """Take it back, with the client's tokens and connections."""
    perform(context.obj, "oauth.consent.revoke", {"address": address, "client": client})
