"""`mailserver filter ...`: filters of one's own."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from mailserver.cli.context import Invocation, fail, load_settings, perform
from mailserver.cli.output import AsJson, print_json, print_list
from mailserver.cli.progress import ProgressPrinter
from mailserver.operations.errors import OperationError

app = typer.Typer(no_args_is_help=True, help="Filters of one's own.")
File = Annotated[Path, typer.Argument(metavar="FILE", help="The filter, a Python file.")]
Messages = Annotated[list[Path] | None, typer.Argument(metavar="MESSAGE", help="Message files.")]
Account = Annotated[str | None, typer.Option(help="Ask about stored mail of this account.")]
Last = Annotated[int, typer.Option(min=1, help="At most so many messages, the newest.")]
Box = Annotated[str, typer.Option(help="The mailbox of stored mail.")]
_COLUMNS = ("name", "state", "calls", "errors", "milliseconds", "problem")


@app.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """The filters in the folder, their state, and what they cost."""
    print_list(perform(context.obj, "filter.list", {}), _COLUMNS, as_json)


@app.command()
def test(
    context: typer.Context,
    file: File,
    messages: Messages = None,
    account: Account = None,
    last: Last = 100,
    mailbox: Box = "INBOX",
    as_json: AsJson = False,
) -> None:
    """Ask one filter about messages as the server would, and change nothing; exit 1 on an error."""
    if (account is None) == (not messages):
        fail("name message files, or --account for stored mail", 2)
    if account is not None:
        args = {"file": str(file.resolve()), "account": account, "last": last, "mailbox": mailbox}
        rows = perform(context.obj, "filter.test", args)
    else:
        rows = _test_files(context.obj, file, messages or [])
    if as_json:
        print_json(rows)
    else:
        _print_rows(rows)
    if any(row["error"] for row in rows):
        raise SystemExit(1)


def _test_files(invocation: Invocation, file: Path, paths: list[Path]) -> list[dict[str, Any]]:
    from config.logging import configure
    from mailserver.operations.filters import test_files

    _, settings = load_settings(invocation)
    configure(level="error")
    try:
        messages = [(str(path), _with_crlf(path.read_bytes())) for path in paths]
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")
    try:
        with ProgressPrinter(sys.stderr) as progress:
            return asyncio.run(test_files(settings, file.resolve(), messages, progress.show))
    except OperationError as error:
        fail(str(error))


def _with_crlf(data: bytes) -> bytes:
    """As it would have arrived: message files often have the line ends of the system."""
    return data if b"\r\n" in data else data.replace(b"\n", b"\r\n")


def _print_rows(rows: list[dict[str, Any]]) -> None:
    print_list(rows, ("message", "verdict", "milliseconds", "subject"), as_json=False)
    for row in rows:
        if row["error"]:
            line = f" (line {row['line']})" if row["line"] else ""
            print(f"{row['message']}: {row['error']}{line}", file=sys.stderr)
        for printed in row["printed"].splitlines():
            print(f"{row['message']}: printed: {printed}", file=sys.stderr)
