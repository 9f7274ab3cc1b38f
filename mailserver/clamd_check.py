"""What `mailserver check` finds out of each clamd: whether it answers, finds a harmless test virus,
and finds it in the largest message that we take too.

The limits of a clamd (StreamMaxLength, MaxScanSize, MaxFileSize) can't be asked for: what it does
with a message of that size tells.
"""

from base64 import encodebytes
from collections.abc import AsyncGenerator

from config.settings import Settings
from config.units import format_size
from net.clamd import ClamdError, ClamdTooLarge, ping, statistics
from net.clamd_client import ClamdClient
from net.clamd_session import CHUNK
from net.threads import Offload

_SECONDS = 120.0
_LINE = b"These are lines of a message that is made to be large, and to be looked at whole.\r\n"
# The EICAR test file, put together at run time so that scanners leave the program alone.
_HALVES = (rb"X5O!P%@AP[4\PZX54(P^)7CC)7}", rb"$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*")
_HEAD = (
    b"From: probe@localhost\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\n'
)
_TAIL = (
    b'\r\n--b\r\nContent-Type: application/octet-stream; name="probe.com"\r\n'
    b"Content-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\n"
)
_OURS = "limits.message_size and drive.max_size"
Told = tuple[bool, str, str]
"""Whether all is well, what was found, and how to mend it."""


async def look_at_clamd(settings: Settings, address: str, offload: Offload) -> Told:
    """One clamd of virus.clamd."""
    try:
        version = await offload.disk(ping, address)
        busy = await offload.disk(statistics, address)
    except ClamdError as error:
        return False, str(error), "start clamd, or correct virus.clamd"
    client = ClamdClient(address, _SECONDS, 1)
    size = max(settings.limits.message_size, settings.drive.max_size)
    try:
        problem = await _problem(client, size)
    except ClamdError as error:
        problem = str(error), "see clamd's log"
    finally:
        client.close()
    if problem is not None:
        return False, f"{version}: {problem[0]}", problem[1]
    found = f"finds a test virus in a message of {format_size(size)}"
    return True, f"{version}, {found}; {busy.threads} threads, {busy.queued} waiting", ""


async def _problem(client: ClamdClient, size: int) -> tuple[str, str] | None:
    least, largest = 8 * len(_LINE), format_size(size)
    if not (await client.scan(lambda: _probe(least))).signature:
        return "it does not find the EICAR test file", "give it signatures: see freshclam"
    try:
        found = await client.scan(lambda: _probe(size))
    except ClamdTooLarge:
        fix = f"set StreamMaxLength {largest} for clamd, or {_OURS} lower"
        return f"it takes no message of {largest}, which {_OURS} allow", fix
    if not found.signature:
        fix = f"set MaxScanSize and MaxFileSize {largest} for clamd, or {_OURS} lower"
        return f"it looks at a part of a message of {largest} only", fix
    return None


async def _probe(size: int) -> AsyncGenerator[bytes, None]:
    """A message of about that size with the test file attached at its end."""
    yield _HEAD
    tail = _TAIL + encodebytes(b"".join(_HALVES)).replace(b"\n", b"\r\n") + b"--b--\r\n"
    left = size - len(_HEAD) - len(tail)
    piece = _LINE * (CHUNK // len(_LINE))
    while left > len(_LINE):
        part = piece[: left // len(_LINE) * len(_LINE)]
        yield part
        left -= len(part)
    yield tail
