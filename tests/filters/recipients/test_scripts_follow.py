"""What scripts do beside filing: edits, answers, notes, what they remember and include. On a real
store, directory and queue.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from filters.recipients.contact_lists import group_of
from storage.contact_service import ContactService
from tests.support.script_site import ADA, BEN, OUTSIDE, TEXT, Site, codes, script_site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with script_site(tmp_path) as made:
        yield made


async def test_an_edited_header_is_that_account_s_alone(site: Site) -> None:
    await site.script(
        'require ["editheader", "fileinto", "copy"]; addheader "X-Seen-By" "ada";'
        'deleteheader "Subject"; redirect :copy "else@where.test";'
    )
    for spooled in (False, True):
        assert codes(await site.send("both@example.test", spooled=spooled)) == [250]
    for _, data in (await site.stored())["INBOX"]:
        head, _, body = data.partition(b"\r\n\r\n")
        assert b"X-Seen-By: ada" in head and b"Subject" not in head and b"Received: " in head
        assert body == b"At noon?\r\n"
    assert all(data.endswith(TEXT) for _, data in (await site.stored(BEN))["INBOX"])
    assert [b"X-Seen-By: ada" in data for _, _, data in await site.queued()] == [True, True]
    assert list(site.services.store.spool_dir.iterdir()) == []


async def test_vacation_answers_once(site: Site) -> None:
    await site.script('require "vacation"; vacation :days 3 "Back on Monday.";')
    for _ in range(2):
        await site.send(ADA)
    await site.send(ADA, text=TEXT.replace(b"To: ada@", b"To: other@"), sender="new@far.test")
    ((sender, recipients, data),) = await site.queued()
    assert (sender, recipients) == ("", (OUTSIDE,))
    assert b"Subject: Auto: lunch" in data and b"Back on Monday." in data
    assert b"In-Reply-To: <1@far.test>" in data
    assert await site.names() == ["INBOX"] * 3


async def test_notified(site: Site) -> None:
    await site.script('require "enotify"; notify :message "Mail!" "mailto:phone@far.test";')
    await site.send(ADA)
    ((_, recipients, data),) = await site.queued()
    assert recipients == ("phone@far.test",) and b"Subject: Mail!" in data
    assert b"Auto-Submitted: auto-notified" in data and await site.names() == ["INBOX"]


async def test_only_a_note_is_not_noted_again(site: Site) -> None:
    await site.script('require "enotify"; notify "mailto:phone@far.test";')
    await site.send(ADA, text=TEXT.replace(b"lunch", b"What auto-notified means"))
    assert len(await site.queued()) == 1
    note = b'Auto-Submitted: Auto-Notified; owner-email="a@far.test"\r\n' + TEXT
    await site.send(ADA, text=note)
    assert len(await site.queued()) == 1


async def test_an_address_of_one_s_own_is_found_among_many(site: Site) -> None:
    """Only the first are looked at, and those are the same ones always."""
    await site.services.directory.add_alias("own@example.test", [ADA])
    target = (await site.services.directory.resolve(ADA)).local[0]
    many = [b"To: own@example.test"] + [b"Cc: %d@far.test" % n for n in range(2000)]
    named = (ADA, OUTSIDE)
    own = await site.personal.scripting.own_addresses(target, b"\r\n".join(many), named)
    assert own == {ADA, "own@example.test"}


async def test_copies_of_what_is_sent_are_kept_where_the_script_says(site: Site) -> None:
    await site.script(
        'require ["vacation", "enotify", "fcc", "mailbox", "imap4flags", "special-use"];'
        'vacation :fcc "Answers" :create :flags ["\\\\Flagged", "away"] "Away.";'
        'notify :fcc "None" "mailto:a@far.test";'
        'notify :fcc "x" :specialuse "\\\\Sent" "mailto:b@far.test";'
    )
    await site.send(ADA)
    sent = await site.queued()
    assert [recipients[0] for _, recipients, _ in sent] == [OUTSIDE, "a@far.test", "b@far.test"]
    stored = await site.stored()
    assert {name: len(copies) for name, copies in stored.items()} == {
        "INBOX": 2, "Answers": 1, "Sent": 1,
    }  # fmt: skip
    ((flags, data),) = stored["Answers"]
    assert set(flags.split()) == {"\\Seen", "\\Flagged", "away"} and b"Away." in data


async def test_a_duplicate_is_known(site: Site) -> None:
    await site.script('require "duplicate"; if duplicate { discard; }')
    for _ in range(2):
        await site.send(ADA)
    await site.send(ADA, text=TEXT.replace(b"<1@", b"<2@"))
    assert await site.names() == ["INBOX", "INBOX"]


async def test_a_script_includes_another(site: Site) -> None:
    await site.script('require "fileinto"; fileinto "Junk";', name="other")
    await site.script('require "include"; include :personal "other";')
    await site.send(ADA)
    assert await site.names() == ["Junk"]


async def test_the_address_book_and_its_groups(site: Site) -> None:
    contacts, ada = site.services.directory.contacts, site.accounts[ADA]
    service = ContactService(contacts, site.services.offload)
    friend = await service.add_address(ada, OUTSIDE, "Friend")
    other = await service.add_address(ada, "other@far.test", "Other")
    await service.join(ada, "Lunch club", [friend.listed.uid, other.listed.uid])
    await site.mailboxes("Known", "Club")
    await site.script(
        'require ["extlists", "fileinto", "copy", "envelope"];'
        'if address :list "from" ":addrbook:default" { fileinto :copy "Known"; }'
        'if envelope :list "from" ":addrbook:Lunch%20club" { fileinto :copy "Club"; }'
        'redirect :copy :list ":addrbook:Lunch%20club";'
    )
    await site.send(ADA)
    assert await site.names() == ["Club", "INBOX", "Known"]
    ((_, recipients, _),) = await site.queued()
    assert set(recipients) == {OUTSIDE, "other@far.test"}
    stranger = TEXT.replace(b"friend@", b"stranger@").replace(b"<1@", b"<2@")
    await site.send(ADA, text=stranger, sender="stranger@far.test")
    assert await site.names() == ["Club", "INBOX", "INBOX", "Known"]


def test_a_group_without_a_name_is_none() -> None:
    assert group_of(":addrbook:") is None and group_of(":addrbook:default") == ""


async def test_whom_the_account_wrote_to_is_a_list(site: Site) -> None:
    contacts, ada = site.services.directory.contacts, site.accounts[ADA]
    await site.mailboxes("Known")
    await site.script(
        'require ["extlists", "fileinto"];'
        'if allof (valid_ext_list ":correspondents", address :list "from" ":correspondents")'
        ' { fileinto "Known"; }'
    )
    await site.send(ADA)
    contacts.correspondents.met(ada, [OUTSIDE.upper()])
    await site.send(ADA, text=TEXT.replace(b"<1@", b"<2@"))
    assert await site.names() == ["INBOX", "Known"]
