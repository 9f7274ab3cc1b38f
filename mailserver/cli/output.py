"""How results look: tables for people, one JSON value for programs."""

import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import orjson
import typer

AsJson = Annotated[bool, typer.Option("--json", help="One JSON value on stdout.")]


def print_json(value: Any) -> None:
    """The value and nothing else on stdout."""
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n")


def print_list(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], as_json: bool) -> None:
    """One line a row, or one JSON array."""
    if as_json:
        print_json(list(rows))
        return
    if not sys.stdout.isatty():
        for row in rows:
            print("\t".join(_cell(row.get(column)) for column in columns))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns)
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    Console().print(table)


def print_one(row: Mapping[str, Any], as_json: bool) -> None:
    """`name: value` lines, or one JSON object."""
    if as_json:
        print_json(row)
        return
    for name, value in row.items():
        print(f"{name}: {_cell(value)}")


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_cell(part) for part in value)
    if isinstance(value, Mapping):
        return " ".join(f"{name}={_cell(part)}" for name, part in value.items())
    return str(value)
