"""Patterns of LIST, quick ways and slow ways alike, and LIST of many mailboxes beside others."""

import asyncio
import re
import time
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, insert, select

from imap.listing import Matcher, inbox_first, order
from storage.schema import mailbox
from storage.values import AccountId
from tests.support.imap_server import USER, Imap, serving


@given(st.text("ab/*%", max_size=8), st.text("ab/", max_size=10))
def test_patterns_mean_what_they_say(pattern: str, name: str) -> None:
    form = re.sub("[*%]", lambda mark: ".*" if mark[0] == "*" else "[^/]*", pattern)
    assert Matcher("", [pattern])(name) == (re.fullmatch(form, name, re.DOTALL) is not None)


@given(st.lists(st.sampled_from(["INBOX", "INBOX/a", "A", "INBOXES", "b", "Z/INBOX"])))
def test_inbox_comes_first(names: list[str]) -> None:
    assert inbox_first(sorted(names)) == sorted(names, key=order)


def add_rows(connection: Connection, account: AccountId, count: int) -> None:
    """Mailboxes as rows only: making their folders too would take minutes."""
    (one,) = connection.execute(
        select(mailbox).where(mailbox.c.account == account, mailbox.c.name == "INBOX")
    ).mappings()
    rows = [
        {**one, "id": 1000 + n, "name": f"tree {n // 100:03d}/\u00fc {n:05d}", "special_use": ""}
        for n in range(count)
    ]
    for start in range(0, count, 1000):
        connection.execute(insert(mailbox), rows[start : start + 1000])


async def many(imap: Imap, count: int) -> None:
    account = imap.accounts[USER]
    await imap.store.submit(lambda conn: add_rows(conn, account, count), touches=[account])


COMMANDS = (
    'LIST "" "*"',
    'LSUB "" "*"',
    'XLIST "" "*"',
    'LIST (SUBSCRIBED RECURSIVEMATCH) "" "*%0" RETURN (SPECIAL-USE STATUS (MESSAGES UIDNEXT))',
    'LIST "" "*" RETURN (METADATA (/private/comment))',
)


async def test_others_are_served_while_ten_thousand_are_listed(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        await many(imap, 9_990)
        client, other = await imap.session(), await imap.session("other@example.test")
        await client.ok('LIST "" "INBOX"')
        for command in COMMANDS:
            task = asyncio.create_task(client.ok(command))
            waits = []
            while not task.done():
                start = time.thread_time()  # of the loop: other programs may hold up the machine
                await other.ok("NOOP")
                waits.append(time.thread_time() - start)
            assert len(await task) >= 990
            assert len(waits) > 5, "others wait until all of it was listed"
            assert max(waits) < 0.5  # ten times what is promised
