"""Our reading of chains and TLSA records beside that of OpenSSL, which has a DANE of its own."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from net.dns_records import TlsaRecord
from smtp.outbound.dane import presentation, usable, verify
from smtp.outbound.security import TlsFailed
from tests.smtp.outbound.test_dane import LEAF, MIDDLE, NAME, ROOT, record
from tests.smtp.outbound.test_dane_sending import context
from tests.support.certificates import Issued, issue
from tests.support.programs import need, run

WRONG_NAME = issue("leaf", MIDDLE, dns=("other.test",))
WILD = issue("leaf", MIDDLE, dns=("*.there.test",))
COMMON_NAME = issue(NAME, MIDDLE)
OLD = issue("leaf", MIDDLE, dns=(NAME,), days=(-20, -10))
SELF_SIGNED = issue("self", dns=("other.test",), days=(-20, -10))
STRANGER = issue("stranger", authority=True)
NOT_AN_AUTHORITY = issue("mere", ROOT)
BELOW = issue("leaf", NOT_AN_AUTHORITY, dns=(NAME,))
SHORT = issue("short", authority=True, path_length=0)
BETWEEN = issue("between", SHORT, authority=True)
DEEP = issue("leaf", BETWEEN, dns=(NAME,))
OLD_MIDDLE = issue("old", ROOT, authority=True, days=(-20, -10))
UNDER_OLD = issue("leaf", OLD_MIDDLE, dns=(NAME,))

WHOLE = (LEAF, MIDDLE, ROOT)
CASES: dict[str, tuple[Sequence[Issued], Sequence[TlsaRecord]]] = {
    **{
        f"ee {selector} {matching}": (WHOLE, [record(3, selector, matching, LEAF)])
        for selector in (0, 1)
        for matching in (0, 1, 2)
    },
    **{
        f"ta {selector} {matching} {of.certificate.subject.rfc4514_string()}": (
            WHOLE,
            [record(2, selector, matching, of)],
        )
        for selector in (0, 1)
        for matching in (0, 1, 2)
        for of in (MIDDLE, ROOT)
    },
    "ee of another": (WHOLE, [record(3, 1, 1, STRANGER)]),
    "ee of the issuer": (WHOLE, [record(3, 1, 1, MIDDLE)]),
    "ee old, of another name": ((SELF_SIGNED,), [record(3, 1, 1, SELF_SIGNED)]),
    "ta of a stranger": (WHOLE, [record(2, 1, 1, STRANGER)]),
    "ta not shown, digest": ((LEAF, MIDDLE), [record(2, 1, 1, ROOT)]),
    "ta not shown, whole": ((LEAF, MIDDLE), [record(2, 0, 0, ROOT)]),
    "ta not shown, key": ((LEAF, MIDDLE), [record(2, 1, 0, ROOT)]),
    "ta is the leaf": (WHOLE, [record(2, 1, 1, LEAF)]),
    "ta, wrong name": ((WRONG_NAME, MIDDLE, ROOT), [record(2, 1, 1, ROOT)]),
    "ta, wildcard": ((WILD, MIDDLE, ROOT), [record(2, 1, 1, ROOT)]),
    "ta, common name": ((COMMON_NAME, MIDDLE, ROOT), [record(2, 1, 1, ROOT)]),
    "ta, expired": ((OLD, MIDDLE, ROOT), [record(2, 1, 1, ROOT)]),
    "ta, expired between": ((UNDER_OLD, OLD_MIDDLE, ROOT), [record(2, 1, 1, ROOT)]),
    "ta, order": ((LEAF, ROOT, MIDDLE), [record(2, 1, 1, ROOT)]),
    "ta, gap": ((LEAF, ROOT), [record(2, 1, 1, ROOT)]),
    "ta, no authority": ((BELOW, NOT_AN_AUTHORITY, ROOT), [record(2, 1, 1, ROOT)]),
    "ta, too deep": ((DEEP, BETWEEN, SHORT), [record(2, 1, 1, SHORT)]),
    "one of two": (WHOLE, [record(3, 1, 1, STRANGER), record(3, 1, 1, LEAF)]),
    "ta or ee": (WHOLE, [record(3, 1, 1, STRANGER), record(2, 1, 1, ROOT)]),
    "strongest digest": (WHOLE, [record(3, 1, 1, LEAF), record(3, 1, 2, STRANGER)]),
}


@contextlib.contextmanager
def served(made: ssl.SSLContext) -> Iterator[int]:
    """One handshake on a free port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        plain, _ = listener.accept()
        plain.settimeout(20)
        with plain, contextlib.suppress(OSError), made.wrap_socket(plain, server_side=True) as tls:
            tls.recv(1)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with listener:
        yield listener.getsockname()[1]
        thread.join(20)


def openssl_takes(port: int, records: Sequence[TlsaRecord]) -> bool:
    words = [word for each in records for word in ("-dane_tlsa_rrdata", presentation(each))]
    done = run(
        *("openssl", "s_client", "-brief", "-connect", f"127.0.0.1:{port}"),
        *("-servername", NAME, "-dane_tlsa_domain", NAME, "-dane_ee_no_namechecks"),
        *("-verify_return_error", *words),
        expect=None,
        stdin=b"x",
    )
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert "CONNECTION ESTABLISHED" in said or "verif" in said.lower(), said
    return "Verification: OK" in said


def we_take(chain: Sequence[Issued], records: Sequence[TlsaRecord]) -> bool:
    try:
        verify([each.der for each in chain], usable(records), (NAME,), time.time())
    except TlsFailed:
        return False
    return True


@pytest.mark.parametrize("case", list(CASES))
def test_the_same_verdict(tmp_path: Path, case: str) -> None:
    need("openssl")
    chain, records = CASES[case]
    with served(context(tmp_path, *chain)) as port:
        theirs = openssl_takes(port, records)
    assert we_take(chain, records) is theirs


def test_both_verdicts_occur() -> None:
    verdicts = [we_take(*case) for case in CASES.values()]
    assert verdicts.count(True) > 15
    assert verdicts.count(False) > 8
