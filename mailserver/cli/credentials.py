"""`mailserver account app-password ...`, `mailserver account second-factor ...` and
`mailserver token ...`.
"""

import sys
from typing import Annotated

import typer

from mailserver.cli.context import perform
from mailserver.cli.output import AsJson, print_list, print_one
from mailserver.cli.until import Until, time_of

app_passwords = typer.Typer(no_args_is_help=True, help="Passwords for one mail client each.")
second_factor = typer.Typer(no_args_is_help=True, help="The code of an app beside the password.")
tokens = typer.Typer(no_args_is_help=True, help="Tokens for programs, and open sessions.")

Address = Annotated[str, typer.Argument(help="The account's full address.")]
AnyId = Annotated[
    int | None,
    typer.Argument(metavar="[ID]", min=1, max=(1 << 63) - 1, help="As list shows it."),
]
Every = Annotated[bool, typer.Option("--all", help="All of the account.")]
Name = Annotated[str, typer.Option(help="What it is for.")]
Protocols = Annotated[
    list[str] | None,
    typer.Option("--protocol", help="imap, smtp, sieve, carddav or jmap, may be repeated; all."),
]
ReadOnly = Annotated[bool, typer.Option("--read-only", help="Changes no mail and no scripts.")]
Folders = Annotated[
    list[str] | None,
    typer.Option("--folder", help="Sees this mailbox and those below, may be repeated; all."),
]
Senders = Annotated[
    list[str] | None, typer.Option("--sender", help="Sends as this address, may be repeated; all.")
]
Networks = Annotated[
    list[str] | None,
    typer.Option("--network", help='From there only: "192.0.2.0/24", may be repeated.'),
]
Preset = Annotated[str, typer.Option(help="Capability or preset that IMAP hides from the client.")]
_COLUMNS = ("id", "name", "protocols", "created", "expires", "last_used", "last_address")


@app_passwords.command("add")
def app_password_add(
    context: typer.Context,
    address: Address,
    name: Name,
    protocol: Protocols = None,
    read_only: ReadOnly = False,
    folder: Folders = None,
    sender: Senders = None,
    network: Networks = None,
    until: Until = None,
    preset: Preset = "",
    as_json: AsJson = False,
) -> None:
    """Make one; it is shown this once."""
    args = {
        "address": address,
        "name": name,
        "protocols": protocol,
        "read_only": read_only,
        "folders": folder,
        "senders": sender,
        "networks": network,
        "expires": time_of(until),
        "preset": preset,
    }
    print_one(perform(context.obj, "account.app-password.add", args), as_json)


@app_passwords.command("list")
def app_password_list(context: typer.Context, address: Address, as_json: AsJson = False) -> None:
    """Those of an account, with their last use."""
    found = perform(context.obj, "account.app-password.list", {"address": address})
    print_list(found, _COLUMNS, as_json)


@app_passwords.command("revoke")
def app_password_revoke(
    context: typer.Context, address: Address, number: AnyId = None, every: Every = False
) -> None:
    """End one; connections that it opened close at once."""
    _revoke(context, "account.app-password.revoke", address, number, every)


@tokens.command("add")
def token_add(
    context: typer.Context,
    address: Address,
    name: Name,
    agent: Annotated[bool, typer.Option("--agent", help="Reads and drafts, never sends.")] = False,
    protocol: Protocols = None,
    read_only: ReadOnly = False,
    folder: Folders = None,
    sender: Senders = None,
    network: Networks = None,
    rate: Annotated[
        int, typer.Option(min=0, max=100_000, help="Commands a minute; 0 is no bound, agents 120.")
    ] = 0,
    until: Until = None,
    as_json: AsJson = False,
) -> None:
    """Make one; it is shown this once."""
    args = {
        "address": address,
        "name": name,
        "agent": agent,
        "protocols": protocol,
        "read_only": read_only,
        "folders": folder,
        "senders": sender,
        "networks": network,
        "rate": rate,
        "expires": time_of(until),
    }
    print_one(perform(context.obj, "token.add", args), as_json)


@tokens.command("list")
def token_list(
    context: typer.Context,
    address: Annotated[str, typer.Argument(help="One account's; all without.")] = "",
    as_json: AsJson = False,
) -> None:
    """Tokens and sessions, with their last use."""
    columns = ("id", "account", "kind", *_COLUMNS[1:])
    print_list(perform(context.obj, "token.list", {"address": address}), columns, as_json)


@tokens.command("revoke")
def token_revoke(
    context: typer.Context, address: Address, number: AnyId = None, every: Every = False
) -> None:
    """End a token or a session; connections that it opened close at once."""
    _revoke(context, "token.revoke", address, number, every)


def _revoke(
    context: typer.Context, operation: str, address: str, number: int | None, every: bool
) -> None:
    if (number is None) is not every:
        raise typer.BadParameter("an id, or --all", param_hint="ID")
    if every:
        perform(context.obj, f"{operation}-all", {"address": address})
    else:
        perform(context.obj, operation, {"address": address, "id": number})


@second_factor.command("show")
def factor_show(context: typer.Context, address: Address, as_json: AsJson = False) -> None:
    """Whether an account has one, and how many recovery codes are left."""
    print_one(perform(context.obj, "account.second-factor.show", {"address": address}), as_json)


@second_factor.command("begin")
def factor_begin(context: typer.Context, address: Address, as_json: AsJson = False) -> None:
    """Make a key for an authenticator app; confirm switches it on."""
    begun = perform(context.obj, "account.second-factor.begin", {"address": address})
    print_one(begun, as_json)
    if sys.stdout.isatty() and not as_json:
        from auth.qr import as_lines, modules

        print("\n".join(as_lines(modules(begun["uri"]))))


@second_factor.command("confirm")
def factor_confirm(
    context: typer.Context,
    address: Address,
    code: Annotated[str, typer.Argument(help="Six digits that the app shows.")],
    as_json: AsJson = False,
) -> None:
    """Switch it on and show the recovery codes; mail clients need app passwords from here on."""
    args = {"address": address, "code": code}
    print_one(perform(context.obj, "account.second-factor.confirm", args), as_json)


@second_factor.command("codes")
def factor_codes(context: typer.Context, address: Address, as_json: AsJson = False) -> None:
    """Make other recovery codes; the old ones are good for nothing."""
    print_one(perform(context.obj, "account.second-factor.codes", {"address": address}), as_json)


@second_factor.command("remove")
def factor_remove(context: typer.Context, address: Address) -> None:
    """Remove it: the password alone is enough again."""
    perform(context.obj, "account.second-factor.remove", {"address": address})
