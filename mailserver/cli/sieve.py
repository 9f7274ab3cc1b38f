"""`mailserver sieve ...`: the Sieve scripts of an account."""

import sys
from pathlib import Path
from typing import Annotated, Any

import orjson
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


@app.command()
def test(
    context: typer.Context,
    address: Address,
    script: Annotated[
        str | None, typer.Option(help="A script of the account; default: the active one.")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="A script that is in no account yet.")] = None,
    rule: Annotated[Path | None, typer.Option(help="A rule in JSON.")] = None,
    last: Annotated[
        int, typer.Option(min=1, max=10_000, help="At most so many messages, the newest.")
    ] = 100,
    mailbox: Annotated[str, typer.Option(help="Their mailbox.")] = "INBOX",
    as_json: AsJson = False,
) -> None:
    """What a script or rule would do to stored messages; nothing is done. Exit 1 on an error."""
    if sum(one is not None for one in (script, file, rule)) > 1:
        fail("name one of --script, --file and --rule", 2)
    args = {
        "address": address,
        "name": script,
        "text": None if file is None else read_script(file),
        "rule": None if rule is None else read_rule(rule),
        "last": last,
        "mailbox": mailbox,
    }
    found = perform(context.obj, "sieve.test", args)
    if as_json:
        print_json(found)
    else:
        _print_tested(found)
    if found["failed"]:
        raise SystemExit(1)


def _print_tested(found: dict[str, Any]) -> None:
    rows = [_line(row) for row in found["messages"] if row["changed"]]
    print_list(rows, ("message", "effects", "lines", "subject"), as_json=False)
    for row in found["messages"]:
        if row["error"]:
            print(f"{row['message']}: line {row['line']}: {row['error']}", file=sys.stderr)
    print(f"{found['changed']} of {found['tested']} messages would change", file=sys.stderr)


def _line(row: dict[str, Any]) -> dict[str, Any]:
    lines = [f"line {one['line']}" for one in row["actions"] if one["line"]]
    return {**row, "lines": list(dict.fromkeys(lines))}


def read_rule(file: Path) -> Any:
    """A rule in JSON. Exits 1."""
    try:
        return orjson.loads(read_script(file).encode("utf-8", "replace"))
    except orjson.JSONDecodeError as error:
        fail(f"{file}: {error}")


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
