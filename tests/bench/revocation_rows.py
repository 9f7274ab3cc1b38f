"""How long a revoked app password keeps what it opened open: of a thousand clients in IDLE over TLS
ten came by it.

The other side has nothing of the kind, so that its figure is 0.
"""

import asyncio
import time

from mailserver import control
from tests.bench.clients import Imap
from tests.bench.imap_rows import connect
from tests.bench.rows import Row
from tests.bench.sides import Side, user

_IDLE, _CONCERNED = 1000, 10
_OWNER = 5


def _in_idle(client: Imap) -> Imap:
    client.command(b"SELECT INBOX")
    client.write(b"zi IDLE\r\n")
    client.wait_for(b"+")
    return client


def _by_app_password(side: Side, secret: str) -> Imap:
    client = Imap(side.imaps_port, tls=True)
    client.login(user(_OWNER), secret)
    return client


def _perform(side: Side, operation: str, **args: object) -> dict[str, object]:
    """An operation of our server, by its control socket."""
    data = side.maildirs.parent / "data"
    args["address"] = user(_OWNER)
    done = asyncio.run(control.call(data, operation, args, lambda *_: None))
    assert isinstance(done, dict)
    return done


def revoked(side: Side) -> float:
    """Milliseconds from the command to the end of the last of ten connections."""
    if not side.ours:
        return 0.0
    made = _perform(side, "account.app-password.add", name="phone")
    secret = str(made["secret"])
    others = [_in_idle(connect(side, n % 20, tls=True)) for n in range(_IDLE - _CONCERNED)]
    concerned = [_in_idle(_by_app_password(side, secret)) for _ in range(_CONCERNED)]
    begin = time.perf_counter()
    _perform(side, "account.app-password.revoke", id=made["id"])
    for client in concerned:
        client.wait_for_bye()
    took = time.perf_counter() - begin
    for client in others:
        client.write(b"DONE\r\n")
        client.wait_for(b"zi OK")
    for client in (*others, *concerned):
        client.close()
    return took * 1000


ROWS = [Row("app password revoked to connections closed, 10 of 1,000", "ms", revoked, limit=1000)]
