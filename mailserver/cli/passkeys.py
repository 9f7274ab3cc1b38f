"""`mailserver account passkey ...` and `mailserver account second-factor sms ...`."""

from typing import Annotated

import typer

from mailserver.cli.context import perform
from mailserver.cli.output import AsJson, print_list, print_one

app = typer.Typer(no_args_is_help=True, help="Passkeys, which are made in a browser.")
sms = typer.Typer(no_args_is_help=True, help="Codes by SMS as second factor.")

Address = Annotated[str, typer.Argument(help="The account's full address.")]
_COLUMNS = ("id", "name", "created", "last_used", "last_address", "synced", "second_factor")


@app.command("list")
def list_(context: typer.Context, address: Address, as_json: AsJson = False) -> None:
    """Those of an account, with their last use."""
    found = perform(context.obj, "account.passkey.list", {"address": address})
    print_list(found, _COLUMNS, as_json)


@app.command()
def delete(
    context: typer.Context,
    address: Address,
    number: Annotated[
        int,
        typer.Argument(metavar="ID", min=1, max=(1 << 63) - 1, help="As list shows it."),
    ],
) -> None:
    """Delete one; with the last second factor the password alone is enough again."""
    perform(context.obj, "account.passkey.delete", {"address": address, "id": number})


@sms.command("begin")
def sms_begin(
    context: typer.Context,
    address: Address,
    phone: Annotated[
        str, typer.Option(help="Such as +431234567; else the one that the account was made with.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Send a first code to a phone; confirm switches it on."""
    args = {"address": address, "phone": phone}
    print_one(perform(context.obj, "account.second-factor.sms.begin", args), as_json)


@sms.command("confirm")
def sms_confirm(
    context: typer.Context,
    address: Address,
    code: Annotated[str, typer.Argument(help="Six digits that the phone got.")],
    as_json: AsJson = False,
) -> None:
    """Switch it on; recovery codes come with an account's first second factor."""
    args = {"address": address, "code": code}
    print_one(perform(context.obj, "account.second-factor.sms.confirm", args), as_json)


@sms.command("remove")
def sms_remove(context: typer.Context, address: Address) -> None:
    """Send no more codes to the account's phone."""
    perform(context.obj, "account.second-factor.sms.remove", {"address": address})
