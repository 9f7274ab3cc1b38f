"""`mailserver domain ...`."""

from typing import Annotated

import typer

from mailserver.cli.context import perform
from mailserver.cli.output import AsJson, print_list

app = typer.Typer(no_args_is_help=True, help="Domains beside those of the configuration.")
Domain = Annotated[str, typer.Argument(help="A domain name.")]


@app.command()
def add(context: typer.Context, domain: Domain) -> None:
    """Receive mail for a domain."""
    perform(context.obj, "domain.add", {"domain": domain})


@app.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """All domains and where each comes from."""
    print_list(perform(context.obj, "domain.list", {}), ("name", "source"), as_json)


@app.command()
def delete(context: typer.Context, domain: Domain) -> None:
    """Stop receiving mail for a domain that was added by command."""
    perform(context.obj, "domain.delete", {"domain": domain})
