"""What is junk for the site may be none for an account, and the other way round: by its address
book and by what it has taught. On a real store, directory and classifier.
"""

from array import array
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from filters.asked import Asked
from filters.authentication.results import DmarcResult, Outcome
from filters.rules.values import Address, Compare, NeverSpam, Rule, Who
from filters.rules.writing import format_rules
from filters.spam.result import SpamResult
from filters.verdict import Action, Scored, Verdict
from storage.contact_service import ContactService
from storage.spam_values import NOTHING, Label, Lesson
from tests.support.script_site import ADA, BEN, OUTSIDE, TEXT, Site, script_site

PROVED = (DmarcResult(Outcome.PASS, "far.test"),)
JUNK = Verdict(Action.JUNK, keywords=frozenset({"$Junk"}))
BORDER = SpamResult((Scored("PHISHING", 6.0),), junk_at=5.0)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with script_site(tmp_path) as made:
        services = made.services
        service = ContactService(services.directory.contacts, services.offload)
        await service.add_address(made.accounts[ADA], OUTSIDE, "Friend")
        yield made


async def keywords(site: Site, mailbox: str, account: str = ADA) -> list[str]:
    return [flags for flags, _ in (await site.stored(account)).get(mailbox, [])]


async def test_a_contact_s_mail_is_no_junk_for_who_knows_it(site: Site) -> None:
    await site.send("both@example.test", verdict=JUNK, spam=BORDER, results=PROVED)
    assert await keywords(site, "INBOX") == [""]
    assert await keywords(site, "Junk", BEN) == ["$Junk"]


async def test_a_contact_s_name_alone_proves_nothing(site: Site) -> None:
    await site.send(ADA, verdict=JUNK, spam=BORDER)
    assert await site.names() == ["Junk"]


async def test_what_is_far_over_the_limit_stays_junk(site: Site) -> None:
    far = SpamResult((Scored("PHISHING", 9.0),), junk_at=5.0)
    await site.send(ADA, verdict=JUNK, spam=far, results=PROVED)
    assert await site.names() == ["Junk"]


async def test_what_another_filter_calls_junk_stays_junk(site: Site) -> None:
    by_dmarc = (Asked("dmarc", "data", Verdict(Action.JUNK)),)
    await site.send(ADA, verdict=JUNK, spam=BORDER, results=PROVED, asked=by_dmarc)
    assert await keywords(site, "Junk") == [""]


async def test_what_an_account_has_taught_counts_for_it_alone(site: Site) -> None:
    offers, letters = array("I", range(100, 140)), array("I", range(500, 540))
    learned, ben = site.services.learned, site.accounts[BEN]
    await learned.start()
    lessons = [
        Lesson(bytes([kind, number]), NOTHING, label, features)
        for number in range(30)
        for kind, features, label in ((1, offers, Label.HAM), (2, letters, Label.SPAM))
    ]
    await learned.teach(ben, lessons)
    wanted = SpamResult((Scored("PHISHING", 5.5),), offers, None, 5.0)
    await site.send("both@example.test", verdict=JUNK, spam=wanted)
    assert (await site.names(), await site.names(BEN)) == (["Junk"], ["INBOX"])
    unwanted = SpamResult((Scored("PHISHING", 2.5),), letters, None, 5.0)
    await site.send("both@example.test", spam=unwanted, text=TEXT.replace(b"<1@", b"<2@"))
    assert (await site.names(), await site.names(BEN)) == (["INBOX", "Junk"], ["INBOX", "Junk"])
    assert await keywords(site, "Junk", BEN) == ["$Junk"]


async def test_scripts_see_the_account_s_score(site: Site) -> None:
    script = (
        'require ["spamtestplus", "relational", "comparator-i;ascii-numeric", "imap4flags"];'
        'if spamtest :percent :value "ge" :comparator "i;ascii-numeric" "50" { addflag "bad"; }'
        'elsif spamtest :percent :value "ge" :comparator "i;ascii-numeric" "30" { addflag "so"; }'
    )
    await site.script(script)
    await site.script(script, BEN)
    await site.send("both@example.test", verdict=JUNK, spam=BORDER, results=PROVED)
    assert await keywords(site, "INBOX") == ["so"]
    (flags,) = await keywords(site, "Junk", BEN)
    assert set(flags.split()) == {"$Junk", "bad"}
    assert TEXT in (await site.stored())["INBOX"][0][1]


async def test_a_rule_says_what_is_never_spam(site: Site) -> None:
    never = Rule("never", (Address(Who.FROM, OUTSIDE, Compare.IS),), (NeverSpam(),))
    await site.script(format_rules([never]), account=BEN)
    far = SpamResult((Scored("PHISHING", 9.0),), junk_at=5.0)
    await site.send(BEN, verdict=JUNK, spam=far)
    assert await keywords(site, "INBOX", BEN) == ["$NotJunk"]
    other = TEXT.replace(OUTSIDE.encode(), b"stranger@far.test").replace(b"<1@", b"<2@")
    await site.send(BEN, text=other, verdict=JUNK, spam=far)
    assert await keywords(site, "Junk", BEN) == ["$Junk"]
