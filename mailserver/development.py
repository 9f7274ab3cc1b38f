"""What scripts/start runs: makes configuration, certificate and account where missing, serves.

Prints `address:`, `password:` (only when the account is made), one `NAME: ADDRESS:PORT` a listener.
"""

import argparse
import asyncio
import os
import secrets
import string
import sys
from pathlib import Path

from config.clock import SystemClock
from config.load import ConfigInvalid, load
from config.settings import Settings
from mailserver.cli.context import EX_CONFIG, fail
from mailserver.operations.errors import OperationError
from mailserver.stopping import CannotServe, stop_with_status_0
from net.threads import Offload
from net.tls import make_self_signed
from storage.directory import Directory
from storage.errors import StoreError

ADDRESS = "user@example.test"
# letters and digits alone: a word that begins with "-" is an option to swaks and others
PASSWORD_SIGNS = string.ascii_letters + string.digits
EXAMPLE = Path(__file__).parent.parent / "config" / "example.toml"


def write_configuration(home: Path) -> Path:
    """The example configuration and its certificate, where there are none."""
    path = home / "mailserver.toml"
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        path.write_text(EXAMPLE.read_text("utf-8"), "utf-8")
        if not (home / "key.pem").exists():
            make_self_signed(home / "fullchain.pem", home / "key.pem", "mx.example.test")
    return path


async def ensure_account(path: Path, settings: Settings) -> str | None:
    """The password of the first account when it had to be made; None when an account exists."""
    if (settings.data_dir / "config.db").exists() and await _has_accounts(settings):
        return None
    from mailserver.offline import run_offline

    if await run_offline(path, settings, "account.list", {}, _no_progress):
        return None
    password = "".join(secrets.choice(PASSWORD_SIGNS) for _ in range(16))
    args = {"address": ADDRESS, "password": password, "name": "User", "quota": 0, "admin": True}
    await run_offline(path, settings, "account.add", args, _no_progress)
    return password


async def _has_accounts(settings: Settings) -> bool:
    """Asks the directory alone, which is much quicker than opening the whole store."""
    offload = Offload()
    try:
        directory = await Directory.open(settings, SystemClock(), offload)
        try:
            return bool(await directory.accounts())
        finally:
            await directory.close()
    finally:
        offload.close()


def _no_progress(_done: int, _total: int, _what: str) -> None:
    return


def print_settings(settings: Settings, password: str | None) -> None:
    """One `name: value` a line, for people and programs."""
    print(f"address: {ADDRESS}")
    if password is not None:
        print(f"password: {password}")
    for name in type(settings.listen).model_fields:
        if name != "proxy_protocol_from":
            for endpoint in getattr(settings.listen, name):
                print(f"{name}: {endpoint}")
    sys.stdout.flush()


def main() -> None:
    """Entry point of scripts/start."""
    parser = argparse.ArgumentParser(prog="scripts/start")
    parser.add_argument("--setup-only", action="store_true", help="set up, print, do not serve")
    arguments = parser.parse_args()
    stop_with_status_0()
    from mailserver.serve import run_server

    home = Path(os.environ.get("MAILSERVER_HOME") or "var").resolve()
    path = write_configuration(home)
    try:
        settings = load(path)
        password = asyncio.run(ensure_account(path, settings))
        print_settings(settings, password)
        if not arguments.setup_only:
            run_server(path, settings)
    except ConfigInvalid as invalid:
        print(invalid, file=sys.stderr)
        raise SystemExit(EX_CONFIG) from None
    except (CannotServe, OperationError, StoreError) as error:
        fail(str(error))


if __name__ == "__main__":
    main()
