"""Every transcript of tests/dialogues/imap against a real server over real sockets.

Lines such as `# with imap.uidonly = true` set what the server is started with: keys of the
configuration, and `timing`.
"""

import re
import tomllib
from pathlib import Path

import pytest

from imap.context import Timing
from tests.support.dialogue import Player
from tests.support.imap_server import serving

_FOLDER = Path(__file__).parents[1] / "dialogues" / "imap"
_WITH = re.compile(r"^# with ([a-z]+\.[a-z_]+ = .*)$", re.MULTILINE)


@pytest.mark.parametrize("name", sorted(path.stem for path in _FOLDER.glob("*.txt")))
async def test_dialogue(name: str, tmp_path: Path) -> None:
    text = (_FOLDER / f"{name}.txt").read_text()
    more = tomllib.loads("\n".join(_WITH.findall(text)))
    timing = Timing(**more.pop("timing", {}))
    plaintext = not name.startswith("starttls")
    async with serving(tmp_path, plaintext=plaintext, timing=timing, more=more) as imap:
        await Player(imap).play(text)
