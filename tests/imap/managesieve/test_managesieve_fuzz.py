"""Mutated conversations, cut anywhere: answers stay lawful, and each connection ends."""

import asyncio
import random
import re
from pathlib import Path

from tests.support.freed import eventually
from tests.support.fuzz import mutated
from tests.support.managesieve import Sieve, authenticate, serving

LOGIN = authenticate()
SEEDS = (
    b'CAPABILITY\r\nNOOP "x"\r\nLOGOUT\r\n',
    LOGIN + b'PUTSCRIPT "a" {5+}\r\nkeep;\r\nSETACTIVE "a"\r\nLISTSCRIPTS\r\nGETSCRIPT "a"\r\n',
    LOGIN + b'HAVESPACE "b" 100\r\nRENAMESCRIPT "a" "b"\r\nDELETESCRIPT "b"\r\nUNAUTHENTICATE\r\n',
    LOGIN + b'CHECKSCRIPT {20000+}\r\n' + b"#" * 20_000 + b"\r\nNOOP {2+}\r\n\r\n\r\nLOGOUT\r\n",
    b'AUTHENTICATE "LOGIN"\r\n"dXNlckBleGFtcGxlLnRlc3Q="\r\n"Y29ycmVjdCBob3JzZQ=="\r\nNOOP\r\n',
    b"STARTTLS\r\nNOOP\r\n",
)  # fmt: skip
STREAMS = 400
_STRING = rb'(?:"(?:[^"\\\0\r\n]|\\["\\])*"|\{(\d+)\}\r\n)'
_ANSWER = re.compile(rb"(?:OK|NO|BYE)(?: \([A-Z/-]+(?: " + _STRING + rb")?\))?(?: |\r\n)")


async def test_mutated_conversations_end_and_leave_nothing(tmp_path: Path) -> None:
    chance = random.Random(5804)
    limits = {"connections_per_minute_per_address": 0}
    async with serving(tmp_path, more={"limits": limits}) as sieve:
        for _ in range(STREAMS):
            said = await conversation(sieve, chance)
            assert said.startswith(b'"IMPLEMENTATION"'), said[:200]
            answers = [line for line in said.split(b"\r\n") if line[:3] in (b"OK ", b"NO ", b"BYE")]
            assert all(_ANSWER.match(line + b"\r\n") for line in answers), answers
        await eventually(lambda: not sieve.server.connections)
        assert sieve.server.held == 0
        client = await sieve.session()  # and the next one is served
        await client.send("NOOP\r\n")
        assert await client.line() == b'OK "Done"'


async def conversation(sieve: Sieve, chance: random.Random) -> bytes:
    """All that the server says to one mutated stream, which is cut into pieces."""
    octets = mutated(chance, chance.choice(SEEDS), SEEDS)
    reader, writer = await asyncio.open_connection("127.0.0.1", sieve.port)
    try:
        async with asyncio.timeout(30):
            while octets:
                at = chance.choice((1, 7, 100, len(octets)))
                writer.write(octets[:at])
                octets = octets[at:]
                await asyncio.sleep(0)
            writer.write_eof()
            return await reader.read()
    except OSError:
        return b'"IMPLEMENTATION"'  # it was let go while it was still sending
    finally:
        writer.close()
