"""Capabilities by account: hidden ones are not announced nor enabled, their commands unknown."""

from pathlib import Path

from imap.capabilities import TABLE, Stage, announce
from imap.masks import PRESETS, Choices, expanded, unknown
from tests.support.imap_server import USER, serving


def test_presets_and_names() -> None:
    assert expanded(["qresync", "Microsoft-Sync"]) == {
        "QRESYNC",
        "UIDONLY",
        "MESSAGELIMIT",
        "IMAP4REV2",
    }
    assert expanded(["IMAP4rev1"]) == set()
    assert expanded(["esort"]) == {"ESORT", "CONTEXT=SORT"}
    assert {"QUOTA", "QUOTASET", "QUOTA=RES-STORAGE", "QUOTA=RES-MESSAGE"} == expanded(["quota"])
    assert {"RIGHTS=KXTE", "LIST-MYRIGHTS"} < expanded(["ACL"])
    assert unknown(["appendlimit", "QUOTA=RES-STORAGE", "plain"]) == []
    assert unknown(["IMAP4rev1", "STARTTLS", "AUTH", "NOSUCH"]) == [
        "IMAP4rev1",
        "STARTTLS",
        "AUTH",
        "NOSUCH",
    ]
    for names in PRESETS.values():
        assert unknown(names) == []
    assert set(PRESETS) == {name.lower() for name in PRESETS}


def test_what_builds_on_a_hidden_capability_is_known() -> None:
    known = {row.key.upper() for row in TABLE}
    for name in known:
        assert expanded([name]) <= known


def test_every_name_can_be_hidden() -> None:
    stage = Stage(True, True, True, True, 1000, ())
    for row in TABLE:
        if row.key.encode() in announce(stage).split() and row.key != "IMAP4rev1":
            masked = Stage(True, True, True, True, 1000, (), frozenset(expanded([row.key])))
            assert row.key.encode() not in announce(masked).split()


async def test_a_mask_holds_from_the_next_capability_on(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        early = await imap.session()
        await imap.directory.set_imap(USER, mask=["METADATA", "CONDSTORE"])
        assert b"* ENABLED CONDSTORE" in await early.ok("ENABLE CONDSTORE")
        (announced,) = await early.ok("CAPABILITY")
        assert not {b"METADATA", b"CONDSTORE"} & set(announced.split())
        assert await early.ok("ENABLE METADATA") == [b"* ENABLED"]
        session = await imap.session()
        assert await session.ok("ENABLE CONDSTORE METADATA") == [b"* ENABLED"]
        _, tagged = await session.command('GETMETADATA "" /shared/comment')
        assert tagged.startswith(b"BAD unknown command")
        await imap.directory.set_imap(USER, mask=[])
        await session.ok("CAPABILITY")
        await session.ok('GETMETADATA "" /shared/comment')


def test_an_account_without_choices_has_none() -> None:
    assert Choices.of(None) is Choices.of(None)


async def test_commands_that_a_mask_hides_are_unknown(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        await imap.directory.set_imap(USER, mask=["MOVE", "IDLE", "ACL", "ENABLE", "XLIST"])
        session = await imap.session(mailbox="INBOX")
        for command in (
            "MOVE 1 Sent",
            "IDLE",
            "MYRIGHTS INBOX",
            "ENABLE CONDSTORE",
            'XLIST "" "*"',
        ):
            _, tagged = await session.command(command)
            assert tagged.startswith(b"BAD unknown command"), command
        await session.ok("NAMESPACE")


async def test_a_command_of_several_capabilities_goes_with_the_last(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        await imap.directory.set_imap(USER, mask=["THREAD=REFERENCES", "CONTEXT=SORT"])
        session = await imap.session(mailbox="INBOX")
        await session.ok("THREAD ORDEREDSUBJECT UTF-8 ALL")
        _, tagged = await session.command('CANCELUPDATE "x"')
        assert tagged.startswith(b"BAD No such context")
        await imap.directory.set_imap(
            USER, mask=["THREAD=REFERENCES", "THREAD=REFS", "THREAD=ORDEREDSUBJECT"]
        )
        await session.ok("CAPABILITY")
        _, tagged = await session.command("THREAD ORDEREDSUBJECT UTF-8 ALL")
        assert tagged.startswith(b"BAD unknown command")
