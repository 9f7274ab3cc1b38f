"""Foreign programs that tests run: found, or the reason why a test cannot run.

A missing program is a failure under CI=true and a skip with a printed reason elsewhere.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import pytest

SYSTEM_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def need(*names: str) -> None:
    """Returns when all programs are installed."""
    missing = [name for name in names if shutil.which(name, path=SYSTEM_PATH) is None]
    if missing:
        unavailable(f"not installed: {', '.join(missing)} (scripts/test installs them as root)")


def need_swaks() -> None:
    """swaks, and the Perl module without which it speaks no TLS."""
    need("swaks")
    if run("perl", "-MNet::SSLeay", "-e1", expect=None).returncode:
        unavailable("swaks has no TLS: libnet-ssleay-perl is not installed")


def unavailable(reason: str) -> NoReturn:
    """Fails under CI=true, skips elsewhere."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def run(
    *command: str | Path,
    expect: int | None = 0,
    stdin: bytes = b"",
    folder: Path | None = None,
    timeout: float = 40,
    home: Path | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Runs a program to its end; `home` keeps it from reading the user's own settings."""
    environment = {"PATH": SYSTEM_PATH, "LC_ALL": "C.UTF-8", "HOME": str(home or "/nonexistent")}
    words: Sequence[str] = [str(word) for word in command]
    done = subprocess.run(
        words,
        input=stdin,
        capture_output=True,
        cwd=folder,
        env=environment,
        timeout=timeout,
        check=False,
    )
    if expect is not None:
        said = (done.stdout + done.stderr).decode("utf-8", "replace")
        assert done.returncode == expect, f"{words}: exit {done.returncode}\n{said}"
    return done
