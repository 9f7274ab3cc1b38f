"""`mailserver account role ...`."""

from typing import Annotated

import typer

from mailserver.cli.context import caller, perform


def role(
    context: typer.Context,
    address: Annotated[str, typer.Argument(help="The account's full address.")],
    role: Annotated[str, typer.Argument(help="user, domain-administrator or administrator.")],
    domain: Annotated[
        list[str] | None,
        typer.Option("--domain", help="Of a domain administrator, may be repeated."),
    ] = None,
) -> None:
    """Give an account a role; its open connections end."""
    if role not in ("user", "domain-administrator", "administrator"):
        hint = "user, domain-administrator or administrator"
        raise typer.BadParameter(hint, param_hint="ROLE")
    args = {"address": address, "role": role, "domains": domain, "by": caller()}
    perform(context.obj, "account.role", args)
