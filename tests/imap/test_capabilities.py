"""The table of capabilities: complete, and the same in docs/imap.md and on the wire."""

import re
from pathlib import Path

from config.sections_server import Listen
from imap.capabilities import TABLE, Capability, Stage, announce, documentation, sieve_url
from tests.support.imap_server import PASSWORD, USER, serving

_PAGE = Path(__file__).parents[2] / "docs" / "imap.md"
_DIALOGUES = Path(__file__).parents[1] / "dialogues" / "imap"

_PROMISED = """
IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE IDLE NAMESPACE CHILDREN UIDPLUS UNSELECT MOVE
CONDSTORE QRESYNC SPECIAL-USE CREATE-SPECIAL-USE XLIST LIST-EXTENDED LIST-STATUS LIST-METADATA
LIST-MYRIGHTS STATUS=SIZE ESEARCH SEARCHRES WITHIN MULTISEARCH SEARCH=FUZZY FILTERS SORT
THREAD=ORDEREDSUBJECT THREAD=REFERENCES THREAD=REFS SORT=DISPLAY ESORT CONTEXT=SEARCH CONTEXT=SORT
PARTIAL BINARY CATENATE MULTIAPPEND APPENDLIMIT REPLACE COMPRESS=DEFLATE NOTIFY METADATA ACL
RIGHTS=kxte QUOTA QUOTASET QUOTA=RES-STORAGE QUOTA=RES-MESSAGE OBJECTID PREVIEW SAVEDATE INPROGRESS
UTF8=ACCEPT I18NLEVEL=1 UNAUTHENTICATE UIDONLY MESSAGELIMIT X-GM-EXT-1
"""


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


def test_scripts_are_where_managesieve_listens() -> None:
    for addresses, url in (
        ([], ""),
        (["127.0.0.1:4190"], "sieve://mx.a.test"),
        (["127.0.0.1:2190", "[::1]:4190"], "sieve://mx.a.test:2190"),
    ):
        listen = Listen.model_validate({"managesieve": addresses})
        assert sieve_url("mx.a.test", listen) == url


def _number(row: Capability) -> str:
    """The number of its RFC, else the words of its standard."""
    words = row.standard.split()
    return words[1] if words[0] == "RFC" else row.standard


def test_what_is_announced_is_complete() -> None:
    """Nothing that docs/rfc-index.tsv calls partial is announced."""
    lines = (_PAGE.parent / "rfc-index.tsv").read_text().splitlines()
    status = {row[0]: row[2] for row in (line.split("\t") for line in lines)}
    unfinished = {
        row.name: status.get(_number(row))
        for row in TABLE
        if row.standard.startswith("RFC") and status.get(_number(row)) != "full"
    }
    assert unfinished == {}


def test_what_is_announced_has_a_dialogue() -> None:
    """The first lines of a transcript name its standard."""
    heads = [
        " ".join(path.read_text().splitlines()[:4]) for path in sorted(_DIALOGUES.glob("*.txt"))
    ]
    silent = {
        row.name
        for row in TABLE
        if not any(re.search(rf"\b{re.escape(_number(row))}\b", head) for head in heads)
    }
    assert silent == set()


def test_everything_promised_is_announced() -> None:
    """Two of them only where the configuration says so."""
    assert set(_PROMISED.split()) <= {row.key for row in TABLE}
    assert {row.key for row in TABLE if row.setting} == {"UIDONLY", "MESSAGELIMIT"}


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
