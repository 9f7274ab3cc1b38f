"""Leaked passwords are refused by a list on disk; the strength of others is estimated."""

from hashlib import sha1
from pathlib import Path

import pytest

from auth.leaked import LeakedListError, check_list, is_leaked
from auth.login import Authenticator
from auth.password import PasswordError
from auth.strength import Grade, strength
from net.threads import Offload
from tests.support.directories import MovedClock, make_settings, open_directory

WORDS = ["hunter2", "letmein", "pässwort", "x", "a b", "horse battery"]


def _hashes(words: list[str]) -> list[str]:
    return sorted(sha1(word.encode()).hexdigest().upper() for word in words)


def _write(path: Path, form: str, words: list[str]) -> Path:
    hashes = _hashes(words)
    match form:
        case "counted":
            text = "".join(f"{one}:{number + 1}\r\n" for number, one in enumerate(hashes))
        case "plain":
            text = "\n".join(one.lower() for one in hashes)
        case "prefixes":
            text = "".join(f"{one[:12]}\n" for one in hashes)
        case _:
            text = "\n".join(reversed(words)) + "\n"
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize("form", ["counted", "plain", "prefixes", "words"])
@pytest.mark.parametrize("many", [0, 1, 2, 5000])
def test_every_listed_password_is_found_and_no_other(tmp_path: Path, form: str, many: int) -> None:
    listed = [*WORDS, *(f"word{number}" for number in range(many))]
    path = _write(tmp_path / "list", form, listed)
    assert check_list(path) == ("words" if form == "words" else "SHA-1 hashes")
    for word in listed[:: max(1, len(listed) // 300)] + WORDS:
        assert is_leaked(word, path), word
    for word in ("hunter", "hunter22", "unter2", "", "letmein\nx", "HUNTER2", "horse"):
        assert not is_leaked(word, path), word


def test_a_list_is_never_read_whole(tmp_path: Path) -> None:
    """A file of 64 GiB, most of it a hole, with ten hashes on each end."""
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.write("".join(f"{number:040X}:1\n" for number in range(10)).encode())
    assert not is_leaked("nobody", path)
    with path.open("r+b") as file:
        file.truncate(64 * 1024**3)
    with pytest.raises(LeakedListError):
        is_leaked("nobody", path)


@pytest.mark.parametrize("content", [None, b""])
def test_a_list_that_is_missing_or_empty_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "list"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LeakedListError, match="list"):
        check_list(path)


async def test_leaked_passwords_are_refused_and_a_broken_list_says_so(tmp_path: Path) -> None:
    path = _write(tmp_path / "list", "counted", WORDS)
    auth = {"bcrypt_rounds": 4, "leaked_passwords": path}
    settings, clock, offload = make_settings(tmp_path, auth=auth), MovedClock(), Offload()
    async with open_directory(settings, clock) as directory:
        authenticator = Authenticator(settings, directory, offload, clock)
        assert (await authenticator.hash_password("not on the list")).startswith("$2b$04$")
        with pytest.raises(PasswordError, match="leaked") as refused:
            await authenticator.hash_password("hunter2")
        assert "hunter2" not in str(refused.value)
        path.unlink()
        with pytest.raises(PasswordError, match=r"auth\.leaked_passwords"):
            await authenticator.hash_password("not on the list")
        await authenticator.close()
    offload.close()


@pytest.mark.parametrize(
    ("password", "grade"),
    [
        ("", Grade.WEAK),
        ("password", Grade.WEAK),
        ("P@ssw0rd1", Grade.WEAK),
        ("Summer2024", Grade.WEAK),
        ("qwertyuiop123", Grade.WEAK),
        ("aaaaaaaaaaaaaaaaaaaa", Grade.WEAK),
        ("abcabcabcabcabc", Grade.WEAK),
        ("12.05.1984", Grade.WEAK),
        ("lovelace1815", Grade.WEAK),
        ("kq7x2m", Grade.FAIR),
        ("kq7x2mvz1p", Grade.GOOD),
        ("correct horse battery staple", Grade.STRONG),
        ("x7#kQ9!mZ2&pL5", Grade.STRONG),
    ],
)
def test_strength(password: str, grade: Grade) -> None:
    found = strength(password, ("Ada Lovelace", "ada@example.test"))
    assert found.grade is grade, found
    assert bool(found.hint) == (grade in (Grade.WEAK, Grade.FAIR))


def test_strength_of_a_long_password_is_quick_and_bounded() -> None:
    assert strength("ab" * 500_000).bits < 1000
