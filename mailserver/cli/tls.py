"""`mailserver tls ...`: what is known of other domains' transport security."""

from typing import Annotated

import typer

from mailserver.cli.context import perform
from mailserver.cli.output import AsJson, print_json, print_list, print_one

app = typer.Typer(no_args_is_help=True, help="Transport security of other domains.")
Domain = Annotated[str, typer.Argument(metavar="DOMAIN", help="The domain of an address.")]


@app.command()
def show(context: typer.Context, domain: Domain, as_json: AsJson = False) -> None:
    """Its policies, the hosts that mail goes to, and the best TLS that it had."""
    found = perform(context.obj, "tls.show", {"domain": domain})
    if as_json:
        print_json(found)
        return
    hosts = found.pop("hosts")
    print_one(found, as_json)
    print_list(hosts, ("host", "addresses", "dnssec", "needs", "why"), as_json)


@app.command()
def forget(context: typer.Context, domain: Domain) -> None:
    """Lets the domain do with less TLS than it had."""
    perform(context.obj, "tls.forget", {"domain": domain})
