"""unbound as a validating resolver on loopback, over zones signed in the test, without a network.

Each zone has a trust anchor of its own, so that no answer from outside is needed.
"""

import contextlib
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dns.dnssec
import dns.name
import dns.node
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec
from dns.dnssectypes import Algorithm
from dns.rdtypes.ANY.DNSKEY import DNSKEY

from config.fields import Endpoint
from tests.support.programs import SYSTEM_PATH, need, unavailable
from tests.support.run import free_port

Change = Callable[[dns.zone.Zone], None]
ATTEMPTS = 5
_HEAD = """\
@ 60 IN SOA ns hostmaster 1 3600 600 86400 60
@ 60 IN NS ns
ns 60 IN A 127.0.0.1
"""


@dataclass(frozen=True)
class SignedZone:
    """`records` in the form of a zone file; unsigned zones have no trust anchor. `tamper` changes
    the zone after it was signed.
    """

    origin: str
    records: str
    signed: bool = True
    tamper: Change | None = None


@contextlib.contextmanager
def unbound(folder: Path, zones: Sequence[SignedZone]) -> Iterator[Endpoint]:
    """Where it answers; ended at the end."""
    need("unbound")
    parts = _parts(folder, zones)
    for _ in range(ATTEMPTS):  # another process may take the port first
        port = free_port()
        process = _start(folder, _config(folder, port, parts))
        if answers(process, port):
            break
    else:
        unavailable(f"unbound does not start: {(folder / 'unbound.log').read_text()[-500:]}")
    try:
        yield Endpoint(host="127.0.0.1", port=port)
    finally:
        process.terminate()
        process.wait(10)


def _start(folder: Path, config: str) -> "subprocess.Popen[bytes]":
    path = folder / "unbound.conf"
    path.write_text(config)
    with (folder / "unbound.log").open("wb") as log:
        return subprocess.Popen(
            ["unbound", "-d", "-p", "-c", str(path)],
            env={"PATH": SYSTEM_PATH},
            stdout=subprocess.DEVNULL,
            stderr=log,
        )


def _parts(folder: Path, zones: Sequence[SignedZone]) -> tuple[list[str], list[str]]:
    """Trust anchors and zones of the configuration."""
    anchors: list[str] = []
    parts: list[str] = []
    for zone in zones:
        path = folder / f"{zone.origin}.zone"
        anchor = _write(zone, path)
        if anchor:
            anchors.append(f'    trust-anchor: "{anchor}"')
        parts.append(
            f'auth-zone:\n    name: "{zone.origin}."\n    zonefile: "{path}"\n'
            "    for-downstream: no\n    for-upstream: yes\n    fallback-enabled: no\n"
        )
    return anchors, parts


def _config(folder: Path, port: int, parts: tuple[list[str], list[str]]) -> str:
    anchors, zones = parts
    server = [
        "server:",
        f"    interface: 127.0.0.1@{port}",
        '    chroot: ""',
        '    username: ""',
        '    pidfile: ""',
        f'    directory: "{folder}"',
        "    use-syslog: no",
        "    verbosity: 1",
        "    num-threads: 1",
        '    module-config: "validator iterator"',
        '    local-zone: "test." nodefault',
        "    do-not-query-localhost: no",
        *anchors,
    ]
    return "\n".join([*server, "remote-control:", "    control-enable: no", *zones, ""])


def _write(zone: SignedZone, path: Path) -> str:
    """Writes the zone; its trust anchor, or "" when it is not signed."""
    made = dns.zone.from_text(_HEAD + zone.records, origin=zone.origin, relativize=False)
    anchor = _sign(made) if zone.signed else ""
    if zone.tamper is not None:
        zone.tamper(made)
    made.to_file(str(path), relativize=False)
    return anchor


def _sign(zone: dns.zone.Zone) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    dnskey: DNSKEY = dns.dnssec.make_dnskey(key.public_key(), Algorithm.ECDSAP256SHA256, flags=257)
    now = datetime.now(UTC)
    with zone.writer() as transaction:
        dns.dnssec.sign_zone(
            zone,
            transaction,
            keys=[(key, dnskey)],
            inception=now - timedelta(days=1),
            expiration=now + timedelta(days=10),
            dnskey_ttl=60,
        )
    assert zone.origin is not None
    return f"{zone.origin} DNSKEY {dnskey}"


def answers(process: "subprocess.Popen[bytes]", port: int) -> bool:
    """False when it ended, or did not begin in time."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            time.sleep(0.05)  # the listener may be another process's
            return process.poll() is None
    process.kill()
    process.wait(10)
    return False
