"""`mailserver sieve ...`: the Sieve scripts of an account."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from mailserver.cli.context import fail, perform
from mailserver.cli.output import AsJson, print_json, print_list

app = typer.Typer(no_args_is_help=True, help="Sieve scripts of accounts.")
Address = Annotated[str, typer.Argument(help="The account's full address.")]
Name = Annotated[str, typer.Argument(help="The script's name.")]
File = Annotated[Path, typer.Argument(metavar="FILE", help='The script; "-" is stdin.')]
_COLUMNS = ("name", "active", "size", "changed")
# Nothing that large is a script.
_MOST = 1024 * 1024


@app.command("list")
def list_(context: typer.Context, address: Address, as_json: AsJson = False) -> None:
    """All scripts of an account, and which one is active."""
    print_list(perform(context.obj, "sieve.list", {"address": address}), _COLUMNS, as_json)


@app.command()
def show(
    context: typer.Context,
    address: Address,
    name: Annotated[str, typer.Argument(help="Default: the active one.")] = "",
    as_json: AsJson = False,
) -> None:
    """The text of a script."""
    found = perform(context.obj, "sieve.show", {"address": address, "name": name})
    if as_json:
        print_json(found)
    else:
        sys.stdout.write(found["text"])


@app.command()
def put(
    context: typer.Context,
    address: Address,
    name: Name,
    file: File,
    activate: Annotated[bool, typer.Option("--activate", help="Make it the active one.")] = False,
) -> None:
    """Store a script. One with a mistake in it changes nothing: line and column are told."""
    args = {"address": address, "name": name, "text": read_script(file), "activate": activate}
    perform(context.obj, "sieve.put", args)


@app.command()
def check(file: File) -> None:
    """Say what is wrong with a script; without server and account."""
    from filters.scripts import mistakes_in

    mistakes = mistakes_in(read_script(file).encode("utf-8", "surrogateescape"))
    for mistake in mistakes:
        print(f"{file}: {mistake}", file=sys.stderr)
    if mistakes:
        raise SystemExit(1)


@app.command()
def activate(context: typer.Context, address: Address, name: Name) -> None:
    """Run this script, and no other, for the account's mail."""
    perform(context.obj, "sieve.activate", {"address": address, "name": name})


@app.command()
def deactivate(context: typer.Context, address: Address) -> None:
    """Run no script."""
    perform(context.obj, "sieve.deactivate", {"address": address})


@app.command()
def rename(
    context: typer.Context,
    address: Address,
    name: Name,
    new: Annotated[str, typer.Argument(help="Its other name.")],
) -> None:
    """Give a script another name; it stays active if it is."""
    perform(context.obj, "sieve.rename", {"address": address, "name": name, "new": new})


@app.command()
def delete(context: typer.Context, address: Address, name: Name) -> None:
    """Remove a script; not the active one."""
    perform(context.obj, "sieve.delete", {"address": address, "name": name})


def read_script(file: Path) -> str:
    """Its text; octets that are no UTF-8 are kept for the compiler to name. Exits 1."""
    try:
        if str(file) == "-":
            data = sys.stdin.buffer.read(_MOST + 1)
        else:
            with file.open("rb") as opened:
                data = opened.read(_MOST + 1)
    except OSError as error:
        fail(f"{error.filename or file}: {error.strerror}")
    if len(data) > _MOST:
        fail(f"{file}: larger than any script")
    return data.decode("utf-8", "surrogateescape")
