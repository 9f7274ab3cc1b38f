"""`mailserver rules ...`: rules that sort an account's mail."""

from typing import Annotated

import typer

from mailserver.cli.context import perform
from mailserver.cli.output import AsJson, print_json, print_list
from mailserver.cli.sieve import Address, File, read_rule

app = typer.Typer(no_args_is_help=True, help="Rules that sort an account's mail.")
_COLUMNS = ("name", "enabled", "match", "conditions", "actions", "stop")


@app.command("list")
def list_(context: typer.Context, address: Address, as_json: AsJson = False) -> None:
    """The rules of an account in their order."""
    found = perform(context.obj, "rules.list", {"address": address})
    if as_json:
        print_json(found["rules"])
    elif found["own"]:
        print(f"own script: {found['script']}")
    else:
        print_list(found["rules"], _COLUMNS, as_json=False)


@app.command()
def add(context: typer.Context, address: Address, file: File) -> None:
    """Add a rule, one JSON object as in docs/sieve.md, or replace the one of its name."""
    perform(context.obj, "rules.add", {"address": address, "rule": read_rule(file)})


@app.command()
def delete(
    context: typer.Context,
    address: Address,
    name: Annotated[str, typer.Argument(help="The rule's name.")],
) -> None:
    """Remove a rule."""
    perform(context.obj, "rules.delete", {"address": address, "name": name})
