"""The transcripts of tests/dialogues/smtp against a real server over real sockets: the examples of
the standards, and what is wrong. Lines such as `# with limits.recipients = 2` set the server up.
"""

import re
import tomllib
from pathlib import Path

import pytest

from tests.support.dialogue import Player
from tests.support.smtp_receiving import receiving
from tests.support.smtp_stage import SmtpStage

_FOLDER = Path(__file__).parents[1] / "dialogues" / "smtp"
_WITH = re.compile(r"^# with ([a-z]+\.[a-z_]+ = .*)$", re.MULTILINE)


@pytest.mark.parametrize("name", sorted(path.stem for path in _FOLDER.glob("*.txt")))
async def test_dialogue(name: str, tmp_path: Path) -> None:
    text = (_FOLDER / f"{name}.txt").read_text()
    settings = tomllib.loads("\n".join(_WITH.findall(text)))
    async with receiving(tmp_path, **settings) as running:
        stage = SmtpStage(running, text)
        try:
            await Player(stage).play(text)
        finally:
            await stage.close()
