"""Sends large messages over many SMTP connections at once; prints how they were answered as JSON.

    pouring.py PORT RECIPIENT SESSIONS SIZE

A program of its own: what it costs to send is not the server's.
"""

import asyncio
import json
import sys
from collections import Counter

BLOCK = (b"..pouring" + b"p" * 66 + b"\r\n") * 1000
"""As sent: each line begins with a dot that is doubled."""


async def reply(reader: asyncio.StreamReader) -> bytes:
    line = await reader.readline()
    while line[3:4] == b"-":
        line = await reader.readline()
    return line


async def pour(port: int, recipient: str, number: int, size: int) -> str:
    """The code that the message got."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        await reply(reader)
        for line in ("EHLO pouring.test", "MAIL FROM:<a@b.test>", f"RCPT TO:<{recipient}>", "DATA"):
            writer.write(line.encode() + b"\r\n")
            answer = await reply(reader)
            if answer[:1] not in b"23":
                return answer[:9].decode()
        writer.write(b"Subject: pour %d\r\n\r\n" % number)
        for _ in range(size // len(BLOCK)):
            writer.write(BLOCK)
            await writer.drain()
        writer.write(b".\r\n")
        return (await reply(reader))[:9].decode()
    finally:
        writer.close()


async def main() -> None:
    port, recipient, sessions, size = sys.argv[1:]
    work = [pour(int(port), recipient, number, int(size)) for number in range(int(sessions))]
    print(json.dumps(Counter(await asyncio.gather(*work))))


if __name__ == "__main__":
    asyncio.run(main())
