"""`mailserver report ...`: what other operators report about our domains, and we about theirs."""

from typing import Annotated

import typer

from mailserver.cli.context import perform
from mailserver.cli.output import AsJson, print_json, print_list, print_one

app = typer.Typer(no_args_is_help=True, help="Reports of other operators about our domains.")
Id = Annotated[str, typer.Argument(metavar="ID", help="Report id.")]
Kind = Annotated[str | None, typer.Option(help="dmarc or tls; both without it.")]
Domain = Annotated[str | None, typer.Option(help="Only reports about this domain.")]
Limit = Annotated[int, typer.Option(min=1, help="At most so many, the newest.")]
_COLUMNS = ("id", "kind", "domain", "organisation", "begin", "end", "messages", "failed")


@app.command("list")
def list_(
    context: typer.Context,
    kind: Kind = None,
    domain: Domain = None,
    limit: Limit = 1_000,
    as_json: AsJson = False,
) -> None:
    """Received reports, the newest first."""
    args = {"kind": kind, "domain": domain, "limit": limit}
    print_list(perform(context.obj, "report.list", args), _COLUMNS, as_json)


@app.command()
def show(context: typer.Context, id_: Id, as_json: AsJson = False) -> None:
    """One report with sums by source."""
    found = perform(context.obj, "report.show", {"id": id_})
    if as_json:
        print_json(found)
        return
    sources = found.pop("sources")
    del found["rows"]
    print_one(found, as_json)
    print_list(sources, ("source", "messages", "failed"), as_json)


@app.command()
def sources(
    context: typer.Context,
    kind: Kind = None,
    domain: Domain = None,
    days: Annotated[int, typer.Option(min=1, help="Reports of so many days.")] = 30,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the busiest.")] = 1_000,
    as_json: AsJson = False,
) -> None:
    """Who sends in the name of our domains, summed over all reports (dmarc without --kind)."""
    args = {"kind": kind, "domain": domain, "days": days, "limit": limit}
    rows = perform(context.obj, "report.sources", args)
    print_list(rows, ("source", "messages", "failed", "reports"), as_json)


@app.command()
def pending(context: typer.Context, as_json: AsJson = False) -> None:
    """What is counted for reports to others, by domain and day."""
    rows = perform(context.obj, "report.pending", {})
    print_list(rows, ("kind", "domain", "day", "rows", "messages"), as_json)


@app.command()
def delete(context: typer.Context, id_: Id) -> None:
    """Forgets one report."""
    perform(context.obj, "report.delete", {"id": id_})
