"""Hashes of other servers, as their own programs make them."""

import hashlib
from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2i, Argon2id

from auth.password import (
    PasswordError,
    dummy_hash,
    hash_password,
    imported_hash,
    needs_rehash,
    verify_password,
)
from tests.support.programs import need, run

PASSWORD = "correct horse é"
SALT = b"0123456789abcdef"


def argon2(kind: type[Argon2id] | type[Argon2i] = Argon2id, memory: int = 64) -> str:
    made = kind(salt=SALT, length=32, iterations=2, lanes=1, memory_cost=memory)
    return made.derive_phc_encoded(PASSWORD.encode())


def openssl(number: int) -> str:
    need("openssl")
    said = run("openssl", "passwd", f"-{number}", "-stdin", stdin=PASSWORD.encode() + b"\n")
    return said.stdout.decode().strip()


def salted(scheme: str, name: str) -> str:
    digest = hashlib.new(name, PASSWORD.encode() + SALT).digest()
    return f"{{{scheme}}}{b64encode(digest + SALT).decode()}"


HASHES = {
    "argon2id": lambda: argon2(),
    "argon2id-of-dovecot": lambda: "{ARGON2ID}" + argon2(),
    "argon2i": lambda: argon2(Argon2i),
    "sha256-crypt": lambda: openssl(5),
    "sha512-crypt": lambda: openssl(6),
    "sha512-crypt-of-dovecot": lambda: "{SHA512-CRYPT}" + openssl(6),
    "ssha": lambda: salted("SSHA", "sha1"),
    "ssha256": lambda: salted("SSHA256", "sha256"),
    "ssha512": lambda: salted("SSHA512", "sha512"),
    "bcrypt-of-dovecot": lambda: "{BLF-CRYPT}" + hash_password(PASSWORD, 4),
}


@pytest.mark.parametrize("kind", HASHES)
def test_hashes_of_others(kind: str) -> None:
    stored = imported_hash(HASHES[kind]())
    assert verify_password(PASSWORD, stored)
    for wrong in ("correct horse", PASSWORD + "x", "", "a\0b", "x" * 5000):
        assert not verify_password(wrong, stored)
    assert needs_rehash(PASSWORD, stored, 4) is not stored.startswith("$2")


@pytest.mark.parametrize("settings", ["$y$j9T$F5Jx5fExrKuPp53xLKQ..1$", "$6$rounds=2000$abcd$"])
def test_hashes_of_the_system(settings: str) -> None:
    """yescrypt is what Debian has in /etc/shadow."""
    need("perl")
    made = run("perl", "-e", "print crypt($ARGV[0], $ARGV[1])", PASSWORD, settings)
    stored = imported_hash(made.stdout.decode())
    assert verify_password(PASSWORD, stored)
    assert not verify_password(PASSWORD + "x", stored)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        "{PLAIN}secret",
        "$1$salt$qjXMvbEw8oaL.CzflDtaK/",
        "$2b$17$" + "." * 53,
        "$2b$12$short",
        "$6$rounds=999999999$saltstring$" + "." * 86,
        "$argon2id$v=19$m=1048576,t=3,p=4$MDEyMzQ1Njc4OWFiY2RlZg$" + "A" * 43,
        "$argon2id$v=19$m=65536,t=300,p=4$MDEyMzQ1Njc4OWFiY2RlZg$" + "A" * 43,
        "$y$jFT$F5Jx5fExrKuPp53xLKQ..1$" + "." * 43,
        "{SSHA}AAAA",
    ],
)
def test_hashes_that_are_not_taken(text: str) -> None:
    """Unknown, broken, or so dear that a login with it would be an attack."""
    with pytest.raises(PasswordError) as refused:
        imported_hash(text)
    assert not text or text not in str(refused.value)


def test_when_a_hash_is_made_anew() -> None:
    assert needs_rehash("x", hash_password("x", 4), 5)
    assert not needs_rehash("x", hash_password("x", 5), 5)
    assert not needs_rehash("x", hash_password("x", 5), 4)
    assert not needs_rehash("x" * 73, argon2(), 4)  # bcrypt has no room for it


def test_a_long_password_of_another_server() -> None:
    stored = f"{{SSHA}}{b64encode(hashlib.sha1(b'x' * 100 + SALT).digest() + SALT).decode()}"
    assert verify_password("x" * 100, stored)
    assert not verify_password("x" * 72, stored)


@pytest.mark.parametrize("stored", ["", "nonsense", dummy_hash(4), "$2b$04$" + "x" * 53])
def test_hashes_that_nothing_matches(stored: str) -> None:
    assert not verify_password("", stored)
    assert not verify_password("x", stored, 5)
