"""The table of capabilities: complete, and the same in docs/imap.md and on the wire."""

from pathlib import Path

from imap.capabilities import TABLE, Stage, announce, documentation
from tests.support.imap_server import PASSWORD, USER, serving

_PAGE = Path(__file__).parents[2] / "docs" / "imap.md"


def test_the_page_shows_the_table() -> None:
    assert documentation() in _PAGE.read_text()


def test_every_row_is_in_the_index_of_standards() -> None:
    index = (_PAGE.parent / "rfc-index.tsv").read_text()
    numbers = {line.split("\t")[0].lower().removeprefix("rfc") for line in index.splitlines()}
    for row in TABLE:
        assert not row.standard.startswith("RFC") or row.standard.split()[1] in numbers, row.name


def test_no_password_is_invited_where_none_is_taken() -> None:
    words = announce(Stage(False, True, False, False, 1000, ())).split()
    assert b"LOGINDISABLED" in words
    assert b"STARTTLS" in words
    assert not [word for word in words if word.startswith(b"AUTH=")]


def test_without_a_certificate_no_tls_is_offered() -> None:
    words = announce(Stage(False, False, True, False, 1000, ("PLAIN",))).split()
    assert b"STARTTLS" not in words
    assert b"AUTH=PLAIN" in words
    assert b"APPENDLIMIT=1000" in words


async def test_what_is_said_when(tmp_path: Path) -> None:
    async with serving(tmp_path, plaintext=False) as imap:
        plain, secure = await imap.client(), await imap.client(tls=True)
        (before,) = await plain.ok("CAPABILITY")
        assert b"STARTTLS LOGINDISABLED" in before
        (over_tls,) = await secure.ok("CAPABILITY")
        assert b"STARTTLS" not in over_tls
        assert b"AUTH=PLAIN AUTH=LOGIN" in over_tls
        _, tagged = await secure.command(f'LOGIN {USER} "{PASSWORD}"')
        (after,) = await secure.ok("CAPABILITY")
        assert after.removeprefix(b"* ") in tagged
        assert b"AUTH=" not in after
        assert b"LOGINDISABLED" not in after
