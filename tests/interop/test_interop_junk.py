"""What mail programs do with junk teaches the classifier: marks and moves as Thunderbird makes
them, files moved between Maildirs that mbsync keeps.
"""

import asyncio
from pathlib import Path
from typing import Any

from mailserver import control
from tests.interop.databases import both_databases
from tests.interop.mirror import Mirror
from tests.interop.site import Account, Site, simple
from tests.support.server import until

pytestmark = both_databases


def _no_progress(_done: int, _total: int, _what: str) -> None:
    pass


def learned(site: Site, account: Account) -> tuple[int, int]:
    """Messages that the account taught: spam and ham."""
    args = {"account": account.address}
    shown: Any = asyncio.run(control.call(site.server.data, "spam.show", args, _no_progress))
    return shown["spam"], shown["ham"]


def wait_learned(site: Site, account: Account, spam: int, ham: int) -> None:
    """Training follows within seconds; fails when it does not come to this."""
    until(lambda: learned(site, account) == (spam, ham) or None, 45, pause=0.2)


def settled(site: Site, account: Account) -> None:
    """Everything done so far was followed: another message, junk by a mark, has been learned."""
    spam, ham = learned(site, account)
    site.append(account, simple("a probe"), folder="Archive")
    with site.imap(account) as client:
        client.select("Archive")
        number = client.search(None, "SUBJECT", '"a probe"')[1][0].split()[-1].decode()
        client.store(number, "+FLAGS", "($Junk)")
        wait_learned(site, account, spam + 1, ham)
        client.store(number, "-FLAGS", "($Junk)")
        wait_learned(site, account, spam, ham)


def test_thunderbird_marks_and_moves(site: Site, account: Account) -> None:
    site.append(account, simple("cheap watches"), "NonJunk")
    with site.imap(account) as client:
        client.select()
        client.uid("STORE", "1", "-FLAGS", "(NonJunk NotJunk $NotJunk)")
        client.uid("STORE", "1", "+FLAGS", "(Junk $Junk)")
        client.uid("MOVE", "1", "Junk")
        wait_learned(site, account, 1, 0)
        client.select("Junk")
        client.uid("STORE", "1", "-FLAGS", "(Junk $Junk)")
        client.uid("STORE", "1", "+FLAGS", "(NonJunk $NotJunk)")
        client.uid("MOVE", "1", "INBOX")
        wait_learned(site, account, 0, 1)


def test_a_mark_alone_is_enough(site: Site, account: Account) -> None:
    site.append(account, simple("cheap watches"))
    with site.imap(account) as client:
        client.select()
        client.store("1", "+FLAGS", "($Junk)")
        wait_learned(site, account, 1, 0)
        client.store("1", "FLAGS", r"(\Seen $NotJunk)")
        wait_learned(site, account, 0, 1)


def test_copy_and_delete_of_clients_without_move(site: Site, account: Account) -> None:
    site.append(account, simple("cheap watches"))
    with site.imap(account) as client:
        client.select()
        client.uid("COPY", "1", "Junk")
        client.uid("STORE", "1", "+FLAGS", r"(\Deleted)")
        client.expunge()
        wait_learned(site, account, 1, 0)
        client.select("Junk")
        client.uid("COPY", "1", "INBOX")
        client.uid("STORE", "1", "+FLAGS", r"(\Deleted)")
        client.expunge()
        wait_learned(site, account, 0, 1)


def test_mbsync_moves_files(site: Site, account: Account, tmp_path: Path) -> None:
    site.append(account, simple("cheap watches"))
    site.append(account, simple("the minutes"))
    mirror = Mirror(site, account, tmp_path)
    mirror.sync()
    move(mirror, "cheap watches", "INBOX", "Junk")
    mirror.sync()
    assert set(site.flags(account, "Junk")) == {"cheap watches"}
    assert set(site.flags(account)) == {"the minutes"}
    wait_learned(site, account, 1, 0)
    move(mirror, "cheap watches", "Junk", "INBOX")
    mirror.sync()
    assert set(site.flags(account)) == {"cheap watches", "the minutes"}
    wait_learned(site, account, 0, 1)


def test_throwing_away_and_filing_teach_nothing(site: Site, account: Account) -> None:
    for title in ("one", "two", "three"):
        site.append(account, simple(title))
    with site.imap(account) as client:
        client.select()
        client.uid("MOVE", "1", "Trash")
        client.uid("MOVE", "2", "Archive")
        client.uid("STORE", "3", "+FLAGS", r"(\Deleted)")
        client.expunge()
    settled(site, account)
    assert learned(site, account) == (0, 0)


def move(mirror: Mirror, title: str, source: str, target: str) -> None:
    """As a mail program on Maildirs does: the file under another name in the other folder."""
    for part in ("new", "cur"):
        for path in (mirror.folder / source / part).iterdir():
            if f"Subject: {title}".encode() in path.read_bytes():
                path.rename(mirror.folder / target / "cur" / f"{path.name.split(',')[0]}m:2,S")
                return
    raise AssertionError(f"no {title} in {source}")
