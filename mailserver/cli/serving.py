"""`mailserver serve`, `check`, `reload`, `repair`, `overview` and `config`.

The parts of the server are imported where they are used, so that other commands start quickly.
"""

import sys
from typing import Annotated

import typer

from mailserver.cli.context import fail, load_settings, perform
from mailserver.cli.output import AsJson, print_json, print_list, print_one
from mailserver.cli.progress import ProgressPrinter
from mailserver.operations.errors import OperationError
from mailserver.stopping import CannotServe, stop_with_status_0

_HOURS = (
    *("at", "received", "sent", "spam", "refused", "quarantined"),
    *("delivered", "deferred", "failed", "filter_milliseconds"),
)


def add_to(app: typer.Typer) -> None:
    """Registers the commands that stand at the top level."""
    for command in (serve, check, reload, repair, overview, config):
        app.command()(command)


def serve(context: typer.Context) -> None:
    """Run the server in the foreground; SIGTERM or Ctrl-C stops it, SIGHUP reloads."""
    stop_with_status_0()
    from mailserver.serve import run_server

    path, settings = load_settings(context.obj)
    try:
        run_server(path, settings)
    except CannotServe as error:
        fail(str(error))


def check(context: typer.Context, as_json: AsJson = False) -> None:
    """Say what would fail and how to mend it; exit 1 when anything does."""
    from mailserver.checks import run_checks

    path, settings = load_settings(context.obj)
    results = run_checks(path, settings)
    if as_json:
        print_json(results)
    else:
        for result in results:
            print(f"{'ok  ' if result['ok'] else 'FAIL'} {result['name']}: {result['detail']}")
            if result["fix"]:
                print(f"     fix: {result['fix']}")
    if not all(result["ok"] for result in results):
        raise SystemExit(1)


def reload(context: typer.Context, as_json: AsJson = False) -> None:
    """Apply the changed configuration to the running server."""
    print_one(perform(context.obj, "reload", {}), as_json)


def overview(context: typer.Context, as_json: AsJson = False) -> None:
    """Show how the server is, and what came and went in the last day."""
    found = perform(context.obj, "overview", {})
    if as_json:
        print_json(found)
        return
    hours = found.pop("hours")
    print_one(found, as_json)
    print_list(hours, _HOURS, as_json)


def config(context: typer.Context, as_json: AsJson = False) -> None:
    """Show every key in force and where its value comes from; secrets are masked."""
    print_list(perform(context.obj, "config.show", {}), ("key", "value", "origin"), as_json)


def repair(
    context: typer.Context,
    address: Annotated[str | None, typer.Argument(help="One account; all without it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Rebuild the SQL index from the Maildir; the server must be stopped."""
    from mailserver.repairing import run_repair

    path, settings = load_settings(context.obj)
    with ProgressPrinter(sys.stderr) as progress:
        try:
            result = run_repair(path, settings, address, progress.show)
        except OperationError as error:
            fail(str(error))
    print_one(result, as_json)
