"""`mailserver service ...`: services of the gateway, and running one in a process of its own."""

from typing import Annotated

import typer

from mailserver.cli.context import fail, load_settings, perform
from mailserver.cli.output import AsJson, print_list
from mailserver.stopping import CannotServe, stop_with_status_0

app = typer.Typer(no_args_is_help=True, help="Services of the gateway.")
_COLUMNS = ("service", "version", "place", "state", "pid", "heartbeat", "routes")
SERVED = ("auth",)


@app.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """Which services there are, where they run, and the routes that they accept."""
    print_list(perform(context.obj, "service.list", {}), _COLUMNS, as_json)


@app.command()
def serve(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="auth")],
    listen: Annotated[
        str, typer.Option(help="unix:/PATH or tcp:HOST:PORT; a socket under data_dir without it.")
    ] = "",
) -> None:
    """Run one in the foreground, for servers that have it in services.remote."""
    if name not in SERVED:
        raise typer.BadParameter(f"one of {', '.join(SERVED)}", param_hint="NAME")
    stop_with_status_0()
    from mailserver.service_host import run_service

    path, settings = load_settings(context.obj)
    try:
        run_service(path, settings, listen)
    except CannotServe as error:
        fail(str(error))
