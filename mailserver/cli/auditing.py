"""`mailserver audit ...`: logins, failures, changes of secrets."""

from typing import Annotated

import typer

from mailserver.cli.context import perform
from mailserver.cli.output import AsJson, print_list
from mailserver.cli.until import Since, time_before

app = typer.Typer(no_args_is_help=True, help="Logins, failures, changes of secrets.")
_COLUMNS = ("last", "kind", "account", "address", "protocol", "client", "credential", "detail")


@app.command("list")
def list_(
    context: typer.Context,
    address: Annotated[str, typer.Argument(help="One account's; all without.")] = "",
    since: Since = None,
    most: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 200,
    as_json: AsJson = False,
) -> None:
    """The newest first."""
    args = {"address": address, "since": time_before(since), "most": most}
    print_list(perform(context.obj, "audit.list", args), (*_COLUMNS, "count"), as_json)
