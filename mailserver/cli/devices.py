"""`mailserver account device ...` and `mailserver account sign-up ...`."""

from typing import Annotated

import typer

from mailserver.cli.context import perform
from mailserver.cli.output import AsJson, print_list

devices = typer.Typer(no_args_is_help=True, help="Networks that an account logged in from.")
sign_ups = typer.Typer(no_args_is_help=True, help="Who waits for a verification code.")
Address = Annotated[str, typer.Argument(help="The account's full address.")]


@devices.command("list")
def device_list(context: typer.Context, address: Address, as_json: AsJson = False) -> None:
    """Those of the last 90 days."""
    found = perform(context.obj, "account.device.list", {"address": address})
    print_list(found, ("network", "last"), as_json)


@devices.command("forget")
def device_forget(
    context: typer.Context,
    address: Address,
    network: Annotated[str, typer.Argument(help="As list shows it.")],
) -> None:
    """The next login from there is one from a new device."""
    perform(context.obj, "account.device.forget", {"address": address, "network": network})


@sign_ups.command("list")
def sign_up_list(context: typer.Context, as_json: AsJson = False) -> None:
    """Those whose code is still good."""
    columns = ("id", "address", "name", "target", "tries", "expires")
    print_list(perform(context.obj, "account.sign-up.list", {}), columns, as_json)


@sign_ups.command("delete")
def sign_up_delete(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar="ID", min=1, max=(1 << 63) - 1)],
) -> None:
    """End one: its code makes no account."""
    perform(context.obj, "account.sign-up.delete", {"id": number})
