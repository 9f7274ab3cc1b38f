"""Scripts on what clients do in a mailbox (RFC 6785): which one runs, what it may, what it does. On
a real store, directory and queue, without a server.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from filters.recipients.imap_events import ENTRY, Cause, Happened, ImapEvents
from mailserver.personal_wiring import build_imap_events
from storage.metadata import SERVER, Holder, Metadata
from storage.values import (
    AccountId,
    Append,
    FlagChange,
    Flags,
    Mailbox,
    System,
)
from tests.support.script_site import ADA, TEXT, Site, script_site


class Events:
    """An account whose client does things in its INBOX."""

    def __init__(self, site: Site, events: ImapEvents, inbox: Mailbox) -> None:
        self.site, self.events, self.inbox = site, events, inbox
        self.account = site.accounts[ADA]

    async def name(self, script: str | None, holder: Holder | None = None) -> None:
        """The annotation of the INBOX, or of the server."""
        value = None if script is None else script.encode()
        holder = holder or Holder(self.account, self.inbox.id)
        await self.site.metadata.change(holder, "", AccountId(0), {ENTRY: value})

    async def put(self, text: str, name: str = "events") -> None:
        await self.site.services.directory.scripts.put(self.account, name, text.encode())

    async def append(self, *texts: bytes) -> list[int]:
        """Their UIDs, before a script has looked at them."""
        messages = [Append(self.site.message(text, spooled=False).content) for text in texts]
        done = await self.site.services.store.append(self.account, self.inbox.id, messages)
        return list(done.target)

    async def tell(
        self, uids: Sequence[int], cause: Cause = Cause.APPEND, flags: Iterable[str] = ()
    ) -> None:
        """Returns when the script has looked at all."""
        here = (self.account, self.account, self.inbox.id)
        self.events.happened(Happened(*here, uids, cause, tuple(flags)))
        await self.events.settle()

    async def flags(self) -> list[str]:
        """Of each message of the INBOX, in order."""
        return [flags for flags, _ in (await self.site.stored()).get("INBOX", [])]


@asynccontextmanager
async def happening(site: Site, metadata: Metadata | None = None) -> AsyncIterator[Events]:
    metadata = metadata or site.metadata
    events = build_imap_events(site.services, metadata, site.personal, site.delivery)
    await events.start()
    try:
        inbox = await site.services.store.mailbox(site.accounts[ADA], "INBOX")
        yield Events(site, events, inbox)
    finally:
        await events.stop()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with script_site(tmp_path) as made:
        yield made


@pytest.fixture
async def at(site: Site) -> AsyncIterator[Events]:
    async with happening(site) as events:
        yield events


FLAG = 'require "imap4flags"; addflag "%s"; keep;'


async def test_the_server_s_script_is_for_mailboxes_without_one_of_their_own(at: Events) -> None:
    await at.put(FLAG % "server", "general")
    await at.put(FLAG % "own")
    await at.name("general", SERVER)
    for script in (None, "events", "", "gone"):
        await at.name(script)
        await at.tell(await at.append(TEXT))
    # an empty name is none, and one that is not there is not made up for (RFC 6785 §2.3.1)
    assert await at.flags() == ["server", "own", "", ""]


async def test_a_script_that_is_named_while_names_are_read_is_not_missed(site: Site) -> None:
    class Meanwhile(Metadata):
        """Names a script behind the first look at what there is."""

        named = False

        async def read_all(self, accounts: Iterable[AccountId], *more: Any) -> Any:
            found = await super().read_all(accounts, *more)
            if not self.named:
                self.named = True
                await self.change(here, "", AccountId(0), {ENTRY: b"events"})
            return found

    inbox = await site.services.store.mailbox(site.accounts[ADA], "INBOX")
    here = Holder(site.accounts[ADA], inbox.id)
    metadata = Meanwhile(site.services.directory.database, site.services.store)
    async with happening(site, metadata) as at:
        await at.put(FLAG % "seen")
        for _ in range(2):
            await at.tell(await at.append(TEXT))
        assert await at.flags() == ["seen", "seen"]
    await metadata.close()


@pytest.mark.parametrize(
    "script",
    [
        pytest.param('require ["imap4flags", "reject"]; addflag "x"; keep;', id="reject"),
        pytest.param('require ["imap4flags", "ereject"]; addflag "x"; keep;', id="ereject"),
        pytest.param('require ["imap4flags", "vacation"]; addflag "x"; keep;', id="vacation"),
        pytest.param(
            'require ["imap4flags", "include"]; addflag "x"; keep; include "other";', id="included"
        ),
        pytest.param(
            'require ["imap4flags", "envelope"]; addflag "x";'
            ' if envelope "from" "" { discard; } keep;',
            id="envelope",
        ),
        pytest.param('require ["imap4flags", "fileinto"]; fileinto "Nowhere";', id="no mailbox"),
        pytest.param('redirect "nobody@example.test";', id="redirect to nobody"),
    ],
)
async def test_what_is_wrong_leaves_the_message_as_it_is(at: Events, script: str) -> None:
    await at.put('require "vacation"; vacation "I am away";', "other")
    await at.put(script)
    await at.name("events")
    await at.tell(await at.append(TEXT))
    assert await at.flags() == [""]


async def test_one_message_that_fails_does_not_stand_in_the_way_of_others(at: Events) -> None:
    await at.put(
        'require ["imap4flags", "fileinto"];'
        'if header :contains "subject" "bad" { fileinto "Nowhere"; stop; } addflag "good"; keep;'
    )
    await at.name("events")
    bad = TEXT.replace(b"lunch", b"bad")
    await at.tell(await at.append(TEXT, bad, TEXT))
    assert await at.flags() == ["good", "", "good"]


async def test_what_a_client_flags_meanwhile_stays(
    at: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    await at.put('require ["imap4flags", "duplicate"]; removeflag "old"; addflag "new"; keep;')
    await at.name("events")
    uids = await at.append(TEXT)
    store, here = at.site.services.store, (at.account, at.inbox.id, uids)
    await store.store(*here, FlagChange.ADD, Flags(keywords=frozenset({"old"})))
    scripting = at.site.personal.scripting
    evaluate = scripting.evaluate

    async def amid(*given: Any) -> Any:
        await store.store(*here, FlagChange.ADD, Flags(System.SEEN))
        return await evaluate(*given)

    monkeypatch.setattr(scripting, "evaluate", amid)
    await at.tell(uids)
    assert [set(flags.split()) for flags in await at.flags()] == [{"\\Seen", "new"}]


async def test_edits_are_for_copies_and_redirects_only(at: Events) -> None:
    await at.site.mailboxes("Else")
    await at.put(
        'require ["editheader", "fileinto", "copy", "imap4flags"];'
        'fileinto :copy "Else"; addheader "X-Seen" "yes"; deleteheader "Subject";'
        'fileinto :copy :flags "edited" "Else"; redirect :copy "friend@far.test";'
    )
    await at.name("events")
    await at.tell(await at.append(TEXT))
    stored = await at.site.stored()
    assert stored["INBOX"] == [("", TEXT)]
    (plain, edited) = stored["Else"]
    assert plain == ("", TEXT)
    assert edited[0] == "edited" and edited[1].startswith(b"X-Seen: yes\r\n")
    assert b"Subject" not in edited[1] and edited[1].endswith(b"\r\n\r\nAt noon?\r\n")
    ((_, recipients, data),) = await at.site.queued()
    assert recipients == ("friend@far.test",)
    assert b"Resent-To: <friend@far.test>\r\n" in data and b"X-Seen: yes\r\n" in data
    assert b"Subject: lunch" not in data


async def test_what_was_seen_is_remembered(at: Events) -> None:
    await at.put('require ["imap4flags", "duplicate"]; if duplicate { addflag "again"; keep; }')
    await at.name("events")
    for _ in range(2):
        await at.tell(await at.append(TEXT))
    assert await at.flags() == ["", "again"]


async def test_items_of_imap_are_empty_where_they_say_nothing(at: Events) -> None:
    await at.put(
        'require ["imap4flags", "environment", "imapsieve"];'
        'if not environment "location" "MS" { stop; }'
        'if environment "imap.changedflags" "" { addflag "none"; }'
        'if environment "imap.changedflags" "\\\\Seen" { addflag "seen"; } keep;'
    )
    await at.name("events")
    (uid,) = await at.append(TEXT)
    await at.tell([uid])
    assert await at.flags() == ["none"]
    await at.tell([uid], Cause.FLAG, ["\\Seen"])
    assert [set(flags.split()) for flags in await at.flags()] == [{"none", "seen"}]
    await at.site.script(
        'require ["environment", "imapsieve"];'
        'if allof (environment "imap.user" "", environment "imap.email" "",'
        ' environment "location" "MDA") { discard; }'
    )
    await at.site.send(ADA)
    assert len(await at.flags()) == 1
