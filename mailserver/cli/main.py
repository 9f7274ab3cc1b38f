"""The console script: `mailserver [--config FILE] COMMAND ...`. One module a group of commands."""

import gc
import sys
from pathlib import Path
from typing import Annotated

import typer

from mailserver.cli import (
    accounts,
    aliases,
    auditing,
    blocks,
    book_sharing,
    contacts,
    credentials,
    devices,
    domains,
    drive,
    explaining,
    filters,
    importing,
    invites,
    oauth,
    passkeys,
    quarantine,
    queue,
    reports,
    roles,
    rules,
    sending,
    services,
    serving,
    sharing,
    sieve,
    spam,
    tags,
    tls,
    webhooks,
)
from mailserver.cli.context import Invocation

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Runs and administers the mail server.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"mailserver {version('mailserver')}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(help="Configuration file.")] = None,
    acting: Annotated[
        str | None,
        typer.Option("--as", metavar="ADDRESS", help="As far as this account may do it."),
    ] = None,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Runs and administers the mail server."""
    if acting is not None and context.invoked_subcommand in _OF_THE_OPERATOR:
        raise typer.BadParameter("this command is the operator's", param_hint="--as")
    context.obj = Invocation(config, acting)


app.add_typer(accounts.app, name="account")
accounts.app.command()(roles.role)
accounts.app.add_typer(sending.app, name="sending")
accounts.app.add_typer(sharing.app, name="share")
accounts.app.add_typer(devices.devices, name="device")
accounts.app.add_typer(devices.sign_ups, name="sign-up")
accounts.app.add_typer(credentials.app_passwords, name="app-password")
accounts.app.add_typer(credentials.second_factor, name="second-factor")
credentials.second_factor.add_typer(passkeys.sms, name="sms")
accounts.app.add_typer(passkeys.app, name="passkey")
app.add_typer(credentials.tokens, name="token")
accounts.app.add_typer(invites.app, name="invite")
app.add_typer(oauth.app, name="oauth")
app.add_typer(aliases.app, name="alias")
app.add_typer(domains.app, name="domain")
app.add_typer(auditing.app, name="audit")
app.add_typer(blocks.app, name="block")
app.add_typer(queue.app, name="queue")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(reports.app, name="report")
app.add_typer(tls.app, name="tls")
app.add_typer(filters.app, name="filter")
app.add_typer(sieve.app, name="sieve")
contacts.app.add_typer(book_sharing.app, name="share")
app.add_typer(contacts.app, name="contact")
app.add_typer(rules.app, name="rules")
app.add_typer(tags.app, name="tags")
app.add_typer(drive.app, name="drive")
app.add_typer(webhooks.app, name="webhook")
app.add_typer(services.app, name="service")
app.add_typer(importing.app, name="import")
app.add_typer(spam.app, name="spam")
app.command()(explaining.explain)
serving.add_to(app)


_OF_THE_OPERATOR = ("serve", "check", "repair", "filter")


def _config_first(arguments: list[str]) -> list[str]:
    """Lets --config stand anywhere on the line, not only before the command."""
    moved, rest = [], []
    waiting = iter(arguments)
    for argument in waiting:
        if argument == "--":
            rest += [argument, *waiting]
        elif argument == "--config":
            moved += [argument, *([value] if (value := next(waiting, None)) is not None else [])]
        elif argument.startswith("--config="):
            moved.append(argument)
        else:
            rest.append(argument)
    return moved + rest


def run() -> None:
    """Entry point of the console script."""
    gc.set_threshold(50_000, 20, 20)  # nothing of what a command imports is garbage
    app(_config_first(sys.argv[1:]), prog_name="mailserver")
