"""OpenDKIM verifies what we sign, and we verify what it signs; it is fed as its own test mode is,
with its filter's code but without a mail server, and answers for DNS from a file.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from message.dkim_signing_key import Algorithm, SigningKey
from message.dkim_tags import Status
from tests.support.dkim_messages import BODY, HEADER, checked, key, keys, signed
from tests.support.programs import need, run

ODD = (
    b"received: x\r\nFROM:\t<a@example.org>\r\n"
    b"Subject:\r\n =?utf-8?q?=C3=A4?=\r\n\t and \r\n more\r\n"
    b"To: a@b.test,\r\n\tb@b.test\r\nCc: x\r\nDate: Mon, 2 Jan 2006 15:04:05 +0000\r\n"
    b"List-Id: <l.example.org>\r\nMIME-Version: 1.0\r\n"
)
MESSAGES = {
    "typical": (HEADER, BODY),
    "odd": (ODD, b" lead\r\n\r\ntab\t \tand  blanks  \r\n.\r\n..x\r\n" + b"y" * 900 + b"\r\n"),
    "eight bit": (HEADER, "Grüße, ça va?\r\n".encode() + b"\xff\xfe\r\n"),
    "blank lines": (HEADER, b"\r\n\r\n \t\r\nend\r\n \r\n\r\n\r\n"),
    "empty": (HEADER, b""),
    "large": (HEADER, b"line of  text\t.\r\n" * 60_000),
}
COMMON = "Syslog no\nUMask 002\nRequireSafeKeys no\n"
_RESULT = re.compile(r"dkim=(\w+).*?header\.a=(\S+)", re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """With the public keys, and a private one in a file for each algorithm."""
    need("opendkim")
    made = tmp_path_factory.mktemp("opendkim")
    made.joinpath("keys").write_text("".join(f"{one.name} {one.record}\n" for one in keys()))
    for one in keys():
        pem = one.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path = made / f"{one.selector}.pem"
        path.touch(0o600)
        path.write_bytes(pem)
    yield made


def told(folder: Path, configuration: str, message: bytes, mode: str) -> str:
    """What the filter says about one message."""
    folder.joinpath("message").write_bytes(message)
    folder.joinpath("configuration").write_text(COMMON + configuration)
    done = run(
        *("opendkim", "-x", folder / "configuration", "-b", mode, "-v", "-v"),
        *("-t", folder / "message"),
    )
    return done.stdout.decode("utf-8", "replace")


def verified(folder: Path, message: bytes) -> dict[str, str]:
    """The result of each algorithm's signature."""
    text = told(folder, f"TestDNSData file:{folder}/keys\nOn-Default accept\n", message, "v")
    return {algorithm: result for result, algorithm in _RESULT.findall(text)}


def signed_there(folder: Path, one: SigningKey, form: str, message: bytes) -> bytes:
    """The message with the field that OpenDKIM adds."""
    text = told(
        folder,
        f"Domain {one.domain}\nSelector {one.selector}\nKeyFile {folder}/{one.selector}.pem\n"
        f"Canonicalization {form}\nSignatureAlgorithm {one.algorithm.value}\n"
        "OversignHeaders From\n",
        message,
        "s",
    )
    match = re.search(r"hname='DKIM-Signature' hvalue='(.*?)'", text, re.DOTALL)
    assert match is not None, text
    value = match[1].replace("\r\n", "\n").replace("\n", "\r\n").encode()
    return b"DKIM-Signature: " + value + b"\r\n" + message


@pytest.mark.parametrize(("header", "body"), MESSAGES.values(), ids=MESSAGES)
def test_it_verifies_what_we_sign(folder: Path, header: bytes, body: bytes) -> None:
    message = signed(header, body)
    both = {algorithm.value: "pass" for algorithm in Algorithm}
    assert verified(folder, message) == both
    changed = message.replace(b"Subject:", b"Subject: other", 1)
    assert verified(folder, changed) == dict.fromkeys(both, "fail")


@pytest.mark.parametrize(
    ("algorithm", "form"),
    [
        (Algorithm.RSA, "simple/simple"),
        (Algorithm.RSA, "relaxed/relaxed"),
        (Algorithm.RSA, "relaxed/simple"),
        (Algorithm.ED25519, "relaxed/relaxed"),
        (Algorithm.ED25519, "relaxed/simple"),
    ],
)
def test_we_verify_what_it_signs(folder: Path, algorithm: Algorithm, form: str) -> None:
    """Its test mode gives its filter one blank behind each colon, which matters in simple form.

    What it signs with Ed25519 in simple header form (2.11.0) holds for nobody, dkimpy included.
    """
    for header, body in MESSAGES.values():
        if form.startswith("simple"):
            header = re.sub(rb"(?m)^([!-9;-~]+):(?:[ \t]|\r\n[ \t])*", rb"\1: ", header)
        message = signed_there(folder, key(algorithm), form, header + b"\r\n" + body)
        assert checked(message) == [(Status.PASS, "")]
        assert checked(message + b"x\r\n")[0][0] is Status.FAIL
