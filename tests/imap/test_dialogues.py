"""Transcripts of tests/dialogues against a real IMAP server over real sockets: imap/ follows the
standards, clients/ what well-known clients send.

Lines such as `# with imap.uidonly = true` set what the server is started with: keys of the
configuration, `timing`, `bounds`, and what `mailserver account set` sets for the first account
(`account`).
"""

import re
import tomllib
from pathlib import Path

import pytest

from imap.context import Bounds, Timing
from tests.support.dialogue import Player, Step
from tests.support.imap_server import PASSWORD, USER, Client, Imap, message, serving

_FOLDER = Path(__file__).parents[1] / "dialogues"
_WITH = re.compile(r"^# with ([a-z]+\.[a-z_]+ = .*)$", re.MULTILINE)


class ImapStage:
    """Messages arrive at `M: Subject | body`."""

    def __init__(self, imap: Imap) -> None:
        self._imap = imap
        self.names = {"password": PASSWORD}

    async def connect(self) -> Client:
        return await self._imap.connect()

    async def perform(self, step: Step) -> None:
        assert step.kind == "M", step
        subject, _, body = step.text.partition(" | ")
        await self._imap.deliver(message(subject, body + "\r\n"))


def _names(folder: str) -> list[str]:
    return sorted(path.stem for path in (_FOLDER / folder).glob("*.txt"))


def _read(name: str) -> str:
    return (_FOLDER / f"{name}.txt").read_text()


async def _play(text: str, folder: Path, *, plaintext: bool = True) -> None:
    more = tomllib.loads("\n".join(_WITH.findall(text)))
    timing, bounds = Timing(**more.pop("timing", {})), Bounds(**more.pop("bounds", {}))
    account = more.pop("account", {})
    async with serving(
        folder, plaintext=plaintext, timing=timing, bounds=bounds, more=more
    ) as imap:
        if account:
            await imap.directory.set_imap(USER, **account)
        await Player(ImapStage(imap)).play(text)


@pytest.mark.parametrize("name", _names("imap"))
async def test_dialogue(name: str, tmp_path: Path) -> None:
    await _play(_read(f"imap/{name}"), tmp_path, plaintext=not name.startswith("starttls"))


@pytest.mark.parametrize("name", _names("clients"))
async def test_client(name: str, tmp_path: Path) -> None:
    await _play(_read(f"clients/{name}"), tmp_path)
