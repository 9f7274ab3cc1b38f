"""curl: folders, upload, flags, moves and search by IMAP with and without TLS; sending by SMTP."""

from pathlib import Path

import pytest

from tests.interop.databases import both_databases
from tests.interop.site import HOST, Account, Site, simple
from tests.support.programs import need, run

pytestmark = both_databases
# curl's CURLE_LOGIN_DENIED, also for a refused SELECT
REFUSED = 67


class Curl:
    """curl with the account's login, TLS verified where it is used."""

    def __init__(self, site: Site, account: Account) -> None:
        need("curl")
        self._site = site
        login = f"{account.address}:{account.password}"
        quiet = ("--silent", "--show-error", "--max-time", "20")
        self._common = (*quiet, "--user", login, "--cacert", str(site.ca_file))

    def __call__(self, url: str, *options: str | Path, expect: int = 0) -> bytes:
        """What curl prints; `url` is `scheme/path`, the port follows from the scheme."""
        scheme, _, path = url.partition("/")
        names = {"imap": "imap", "imaps": "imaps", "smtp": "submission", "smtps": "submissions"}
        port = self._site.port(names[scheme])
        where = f"{scheme}://{HOST}:{port}/{path}"
        done = run("curl", *self._common, *options, where, expect=expect)
        return done.stdout


@pytest.fixture
def curl(site: Site, account: Account) -> Curl:
    return Curl(site, account)


@pytest.mark.parametrize("scheme", ["imap", "imaps"])
def test_lists_folders(curl: Curl, scheme: str) -> None:
    listed = curl(f"{scheme}/").decode()
    assert '"/" INBOX' in listed or '"/" "INBOX"' in listed
    for name in ("Drafts", "Sent", "Trash", "Junk", "Archive"):
        assert name in listed


def test_starttls_is_used_when_required(curl: Curl) -> None:
    assert b"INBOX" in curl("imap/", "--ssl-reqd")


@pytest.mark.parametrize("scheme", ["imap", "imaps"])
def test_upload_and_fetch(curl: Curl, account: Account, tmp_path: Path, scheme: str) -> None:
    message = simple("uploaded", "8-bit ä\r\n.dot\r\n")
    file = tmp_path / "message.eml"
    file.write_bytes(message)
    curl(f"{scheme}/INBOX", "--upload-file", file)
    assert curl(f"{scheme}/INBOX;MAILINDEX=1") == message
    assert curl(f"{scheme}/INBOX;UID=1") == message
    header = message.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    assert curl(f"{scheme}/INBOX;UID=1;SECTION=HEADER") == header
    assert curl(f"{scheme}/INBOX;UID=1;SECTION=TEXT") == "8-bit ä\r\n.dot\r\n".encode()
    assert curl(f"{scheme}/INBOX?SUBJECT%20uploaded").strip() == b"* SEARCH 1"


def test_custom_requests(curl: Curl, site: Site, account: Account) -> None:
    site.append(account, simple("first"))
    answer = curl("imaps/INBOX", "--request", r"STORE 1 +FLAGS (\Flagged)")
    assert rb"\Flagged" in answer
    assert site.flags(account) == {"first": {r"\Flagged"}}
    assert b"EXISTS" in curl("imaps/", "--request", "EXAMINE INBOX")
    curl("imaps/", "--request", "CREATE Made")
    assert "Made" in site.folders(account)


def test_folders_tags_moves_and_removal(curl: Curl, site: Site, account: Account) -> None:
    for title in ("stays", "moves", "goes"):
        site.append(account, simple(title))
    for command in ("CREATE Work/made", "RENAME Work Office", "SUBSCRIBE Office/made"):
        curl("imaps/", "--request", command)
    assert b"Office/made" in curl("imaps/", "--request", 'LSUB "" "*"')
    assert b"$label1" in curl("imaps/INBOX", "--request", "UID STORE 1 +FLAGS ($label1 blue)")
    assert b"COPYUID" in curl("imaps/INBOX", "--request", "UID MOVE 2 Office/made", "--verbose")
    curl("imaps/INBOX", "--request", r"UID STORE 3 +FLAGS (\Deleted)")
    assert b"* 2 EXPUNGE" in curl("imaps/INBOX", "--request", "EXPUNGE")
    assert curl("imaps/INBOX?KEYWORD%20%24label1%20UNSEEN").strip() == b"* SEARCH 1"
    assert b"MESSAGES 1" in curl("imaps/", "--request", "STATUS Office/made (MESSAGES)")
    assert site.flags(account) == {"stays": {"$label1", "blue"}}
    curl("imaps/", "--request", "DELETE Office/made")
    assert "Office/made" not in site.folders(account)


def test_a_large_message(curl: Curl, tmp_path: Path) -> None:
    message = simple("large", "lorem ipsum größe\r\n" * 200_000)
    (tmp_path / "large.eml").write_bytes(message)
    curl("imaps/Archive", "--upload-file", tmp_path / "large.eml")
    assert curl("imaps/Archive;UID=1") == message
    text = message.partition(b"\r\n\r\n")[2]
    assert curl("imaps/Archive;UID=1;SECTION=TEXT;PARTIAL=0.65536") == text[:65536]


def test_missing_folder_and_wrong_password(curl: Curl, site: Site, account: Account) -> None:
    curl("imaps/Nowhere;UID=1", expect=REFUSED)
    wrong = Curl(site, Account(account.address, "wrong"))
    wrong("imaps/", expect=REFUSED)


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_sends(curl: Curl, site: Site, account: Account, tmp_path: Path, scheme: str) -> None:
    friend = site.add_account()
    message = simple(f"sent by {scheme}", "body\r\n.\r\n..\r\n", sender=account.address)
    file = tmp_path / "message.eml"
    file.write_bytes(message)
    envelope = ("--mail-from", account.address, "--mail-rcpt", friend.address)
    curl(f"{scheme}/client.test", "--ssl-reqd", *envelope, "--upload-file", file)
    found = site.wait_for(friend, f"Subject: sent by {scheme}".encode())
    assert found.endswith(message)
    assert b"ESMTPSA" in found
