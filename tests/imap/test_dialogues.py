"""Every transcript of tests/dialogues/imap against a real server over real sockets."""

from pathlib import Path

import pytest

from tests.support.dialogue import Player
from tests.support.imap_server import serving

_FOLDER = Path(__file__).parents[1] / "dialogues" / "imap"


@pytest.mark.parametrize("name", sorted(path.stem for path in _FOLDER.glob("*.txt")))
async def test_dialogue(name: str, tmp_path: Path) -> None:
    plaintext = not name.startswith("starttls")
    async with serving(tmp_path, plaintext=plaintext) as imap:
        await Player(imap).play((_FOLDER / f"{name}.txt").read_text())
