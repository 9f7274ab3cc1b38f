"""How every command reaches the data: configuration, the serving process, or the store itself.

A running server does the work through its control socket; when nobody serves, the command opens the
store and does it. Exit status: 1 could not be done, 78 configuration wrong.
"""

import asyncio
import os
import pwd
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from config.load import ConfigInvalid, find_config, load
from config.settings import Settings
from mailserver import control
from mailserver.cli.progress import ProgressPrinter
from mailserver.operations.errors import OperationError

EX_CONFIG = 78


@dataclass(frozen=True, slots=True)
class Invocation:
    """What stands before the command: the configuration file, and `acting`, the address of the
    account as which it is done, None for the operator.
    """

    config: Path | None
    acting: str | None = None


def fail(text: str, status: int = 1) -> NoReturn:
    """One line on stderr and the exit status."""
    print("mailserver: " + " ".join(text.split()), file=sys.stderr)
    raise SystemExit(status)


def load_settings(invocation: Invocation) -> tuple[Path, Settings]:
    """The configuration in use; prints all of its errors and exits 78 when it is wrong."""
    try:
        path = find_config(invocation.config, os.environ)
        return path, load(path)
    except ConfigInvalid as invalid:
        for error in invalid.errors:
            print(error, file=sys.stderr)
        raise SystemExit(EX_CONFIG) from None


def caller() -> str:
    """Who gives the command: the user of the system, also behind sudo."""
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"uid {uid}"
    behind = os.environ.get("SUDO_USER", "") if uid == 0 else ""
    return f"{behind} as {name}" if behind else name


def perform(invocation: Invocation, operation: str, args: Mapping[str, Any]) -> Any:
    """The operation's result, from the serving process or done here. Exits 1 on failure."""
    path, settings = load_settings(invocation)
    if invocation.acting is not None:
        args = {**args, "as": invocation.acting}
    with ProgressPrinter(sys.stderr) as progress:
        try:
            if control.is_served(settings.data_dir):
                return asyncio.run(control.call(settings.data_dir, operation, args, progress.show))
            # the store is imported only when nobody serves: a command to a server starts in 0.3 s
            from mailserver.offline import run_offline

            return asyncio.run(run_offline(path, settings, operation, args, progress.show))
        except OperationError as error:
            message = str(error)
    fail(message)
