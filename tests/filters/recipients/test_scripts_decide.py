"""What an account's script says of a message is what happens to it: where it is stored, who else
gets it, what the sender hears. On a real store, directory and queue.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from filters.context import Kind
from filters.verdict import Action, Verdict
from storage.object_ids import mailbox_number
from tests.support.script_site import ADA, BEN, OUTSIDE, TEXT, Site, codes, script_site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with script_site(tmp_path) as made:
        yield made


async def test_without_a_script_it_is_in_the_inbox(site: Site) -> None:
    assert codes(await site.send(ADA)) == [250]
    assert await site.names() == ["INBOX"]


async def test_filed_with_flags_where_the_script_says(site: Site) -> None:
    await site.mailboxes("Meals/Noon")
    await site.script(
        'require ["fileinto", "imap4flags"];'
        'if header :contains "subject" "lunch" '
        '{ fileinto :flags ["\\\\Seen", "food"] "Meals/Noon"; }'
    )
    assert codes(await site.send("both@example.test")) == [250]
    stored = await site.stored()
    assert list(stored) == ["Meals/Noon"]
    ((flags, data),) = stored["Meals/Noon"]
    assert set(flags.split()) == {"\\Seen", "food"} and data.endswith(TEXT)
    assert await site.names(BEN) == ["INBOX"]
    await site.send(ADA, text=TEXT.replace(b"lunch", b"work"))
    assert await site.names() == ["INBOX", "Meals/Noon"]


async def test_several_copies_of_one_account(site: Site) -> None:
    await site.mailboxes("A", "B")
    await site.script(
        'require ["fileinto", "copy"]; fileinto :copy "A"; fileinto "B"; fileinto "B"; keep;'
    )
    await site.send(ADA, spooled=True)
    assert await site.names() == ["A", "B", "INBOX"]


async def test_a_mailbox_that_was_renamed_is_found_by_its_id(site: Site) -> None:
    await site.mailboxes("Old")
    store, account = site.services.store, site.accounts[ADA]
    box = await store.mailbox(account, "Old")
    await store.rename(account, "Old", "New")
    await site.script(
        'require ["fileinto", "mailboxid"];'
        f'fileinto :mailboxid "{mailbox_number(account, box.id)}" "Old";'
    )
    await site.send(ADA)
    assert await site.names() == ["New"]


async def test_a_mailbox_that_is_not_there_is_the_inbox(site: Site) -> None:
    await site.script('require "fileinto"; fileinto "Nowhere";')
    await site.send(ADA)
    assert await site.names() == ["INBOX"]


@pytest.mark.parametrize("spooled", [False, True])
async def test_discarded(site: Site, spooled: bool) -> None:
    await site.script("discard;")
    assert codes(await site.send(ADA, spooled=spooled)) == [250]
    assert await site.names() == [] and await site.queued() == []
    assert list(site.services.store.spool_dir.iterdir()) == []


async def test_junk_goes_to_junk_unless_the_script_files_it(site: Site) -> None:
    junk = Verdict(Action.JUNK)
    await site.script("keep;")
    await site.send(ADA, verdict=junk)
    assert await site.names() == ["Junk"]
    await site.script('require "fileinto"; fileinto "INBOX";')
    await site.send(ADA, verdict=junk, text=TEXT.replace(b"<1@", b"<2@"))
    assert await site.names() == ["INBOX", "Junk"]


async def test_redirected_out_and_to_another_account(site: Site) -> None:
    await site.script(
        'require "copy"; redirect :copy "else@where.test"; redirect "ben@example.test";'
    )
    await site.mailboxes("Ada", account=BEN)
    await site.script('require "fileinto"; fileinto "Ada";', BEN)
    assert codes(await site.send(ADA)) == [250]
    assert await site.names() == [] and await site.names(BEN) == ["Ada"]
    ((sender, recipients, data),) = await site.queued()
    assert recipients == ("else@where.test",) and data.endswith(TEXT)
    assert sender.startswith("SRS0=") and sender.endswith("@example.test")


async def test_redirects_that_lead_nowhere_lose_nothing(site: Site) -> None:
    for address in ("nobody@example.test", ADA):
        await site.script(f'redirect "{address}";')
        await site.send(ADA)
    assert await site.names() == ["INBOX", "INBOX"]


async def test_two_that_redirect_to_each_other(site: Site) -> None:
    await site.script(f'redirect "{BEN}";')
    await site.script(f'redirect "{ADA}"; keep;', BEN)
    assert codes(await site.send(ADA)) == [250]
    assert await site.names(BEN) == ["INBOX"]


async def test_refused_by_all_is_the_answer(site: Site) -> None:
    await site.script('require "reject"; reject "Not here,\r\nplease";')
    (outcome,) = await site.send(ADA)
    assert (outcome.code, outcome.status, outcome.text) == (550, "5.7.1", "Not here, please")
    assert await site.names() == [] and await site.queued() == []


async def test_refused_by_one_of_two_is_reported(site: Site) -> None:
    await site.script('require "ereject"; ereject "Nicht für mich";')
    assert codes(await site.send(ADA, BEN)) == [250, 250]
    assert (await site.names(), await site.names(BEN)) == ([], ["INBOX"])
    ((sender, recipients, data),) = await site.queued()
    assert (sender, recipients) == ("", (OUTSIDE,))
    assert b"Action: failed" in data and ADA.encode() in data and BEN.encode() not in data
    assert codes(await site.send(ADA, BEN, kind=Kind.LMTP)) == [550, 250]


@pytest.mark.parametrize(
    "script",
    [
        "this is no script",
        'require "variables"; set "a" "x"; ' + 'set "a" "${a}${a}";' * 40 + " discard;",
        'require ["ihave"]; error "on purpose";',
    ],
)
async def test_whatever_is_wrong_with_a_script_the_message_arrives(site: Site, script: str) -> None:
    await site.script(script)
    assert codes(await site.send(ADA)) == [250]
    assert len(await site.names()) <= 1
    if "discard" not in script:
        assert await site.names() == ["INBOX"]
