"""Transcripts of tests/dialogues/managesieve against a real server over real sockets."""

from pathlib import Path

import pytest

from tests.support.dialogue import Player, Step
from tests.support.imap_server import PASSWORD, Client
from tests.support.managesieve import Sieve, serving

_FOLDER = Path(__file__).parents[2] / "dialogues" / "managesieve"


class SieveStage:
    """A conversation and nothing beside it."""

    def __init__(self, sieve: Sieve) -> None:
        self._sieve = sieve
        self.names = {"password": PASSWORD}

    async def connect(self) -> Client:
        return await self._sieve.connect()

    async def perform(self, step: Step) -> None:
        raise AssertionError(step)


@pytest.mark.parametrize("name", sorted(path.stem for path in _FOLDER.glob("*.txt")))
async def test_dialogue(name: str, tmp_path: Path) -> None:
    async with serving(tmp_path, plaintext=not name.startswith("starttls")) as sieve:
        await Player(SieveStage(sieve)).play((_FOLDER / f"{name}.txt").read_text())
