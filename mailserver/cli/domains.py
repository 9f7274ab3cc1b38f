"""`mailserver domain ...`."""

from typing import Annotated, Any

import typer

from mailserver.cli.accounts import size_of
from mailserver.cli.context import perform
from mailserver.cli.output import AsJson, print_json, print_list

app = typer.Typer(no_args_is_help=True, help="Domains beside those of the configuration.")
Domain = Annotated[str, typer.Argument(help="A domain name.")]
_COLUMNS = ("name", "source", "accounts_most", "quota_most")


@app.command()
def add(context: typer.Context, domain: Domain) -> None:
    """Receive mail for a domain."""
    perform(context.obj, "domain.add", {"domain": domain})


@app.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """All domains and where each comes from."""
    print_list(perform(context.obj, "domain.list", {}), _COLUMNS, as_json)


@app.command("set")
def set_(
    context: typer.Context,
    domain: Domain,
    accounts: Annotated[
        int | None, typer.Option(min=0, max=(1 << 31) - 1, help="How many accounts; 0 is no bound.")
    ] = None,
    quota: Annotated[
        str | None, typer.Option(help='Octets such as "20G" for all together; 0 is no bound.')
    ] = None,
) -> None:
    """Bound what the administrators of a domain give out; administrators of the server are free."""
    args = {"domain": domain, "accounts": accounts, "quota": size_of(quota)}
    perform(context.obj, "domain.set", args)


@app.command()
def dns(
    context: typer.Context,
    domain: Domain,
    check: Annotated[bool, typer.Option("--check", help="Compare with what DNS serves.")] = False,
    as_json: AsJson = False,
) -> None:
    """The records to publish, as a zone file."""
    rows = perform(context.obj, "domain.dns", {"domain": domain, "check": check})
    _print_records(rows, check, as_json)


@app.command("rotate-keys")
def rotate_keys(context: typer.Context, domain: Domain, as_json: AsJson = False) -> None:
    """Make the next DKIM keys, which are used once they are published; prints the records."""
    _print_records(perform(context.obj, "domain.rotate", {"domain": domain}), False, as_json)


def _print_records(rows: list[dict[str, Any]], check: bool, as_json: bool) -> None:
    """Exit status 1 when a record that is needed is not served as it must be."""
    if as_json:
        print_json(rows)
    for row in [] if as_json else rows:
        print(f"; {row['purpose']}" + (f": {row['state']}" if check else ""))
        if check and row["state"] in ("differs", "unknown"):
            print("\n".join(f";   found: {text}" for text in row["found"]))
        print(row["line"])
    if check and any(row["needed"] and row["state"] != "ok" for row in rows):
        raise SystemExit(1)


@app.command()
def delete(context: typer.Context, domain: Domain) -> None:
    """Stop receiving mail for a domain that was added by command."""
    perform(context.obj, "domain.delete", {"domain": domain})
