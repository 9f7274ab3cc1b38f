"""SEARCH in 10,000 messages of 4 KiB, each with words of its own; every fiftieth has the word."""

import random
import time

from tests.bench.imap_rows import connect, selected
from tests.bench.rows import Row
from tests.bench.sides import Side

_COUNT = 10_000
_PIECE = 200
WORD = "quagmire"
_LETTERS = "etaoinshrdlucmfwypvbgk"
_SETTLED = 60.0


def _message(number: int, chance: random.Random, vocabulary: list[str]) -> bytes:
    """Words by the frequencies that languages have: few of them make most of a text."""
    words = [vocabulary[int(len(vocabulary) * chance.random() ** 4)] for _ in range(640)]
    word = ""
    if number % 50 == 0:
        word = f" {WORD}"
        words[chance.randrange(640)] = WORD
    lines = [" ".join(words[start : start + 12]) for start in range(0, 640, 12)]
    head = (
        f"From: Sender <sender@world.test>\r\nTo: User <b6@bench.test>\r\n"
        f"Subject: {' '.join(words[:4])}{word}\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\n"
        f"Message-ID: <{number}.{chance.randrange(1 << 60)}@world.test>\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n"
    )
    return (head + "\r\n".join(lines) + "\r\n").encode()


def fill(side: Side) -> None:
    """The mailbox Words in b6's account, once a side; ours waits until its index is filled."""
    client = connect(side, 6)
    if b"* LIST" in client.command(b'LIST "" Words'):
        return
    chance = random.Random(1)
    vocabulary = ["".join(chance.choices(_LETTERS, k=chance.randint(2, 11))) for _ in range(30_000)]
    client.command(b"CREATE Words")
    for start in range(0, _COUNT, _PIECE):
        tags = []
        for number in range(start, start + _PIECE):
            body = _message(number, chance, vocabulary)
            tags.append(client.send(b"APPEND Words {%d+}\r\n%b" % (len(body), body)))
        client.finish(tags[-1])
    client.close()
    for key in ("SUBJECT", "TEXT"):
        search(side, key)  # the peer fills its cache
    until = time.perf_counter() + _SETTLED
    while side.ours and search(side, "BODY") > 40 and time.perf_counter() < until:
        time.sleep(0.5)


def search(side: Side, key: str, needle: str = WORD) -> float:
    """Milliseconds of one SEARCH that finds every fiftieth message."""
    client = selected(side, 6, b"Words")
    start = time.perf_counter()
    answer = client.command(b"SEARCH %s %s" % (key.encode(), needle.encode()))
    seconds = time.perf_counter() - start
    client.close()
    assert len(answer.split(b"\r\n")[0].split()) == 2 + _COUNT // 50
    return seconds * 1000


ROWS = [
    Row(
        "SEARCH SUBJECT in 10,000",
        "ms",
        lambda s: search(s, "SUBJECT"),
        at_most=0.5,
        prepare=fill,
    ),
    Row("SEARCH BODY in 10,000", "ms", lambda s: search(s, "BODY"), at_most=0.02, prepare=fill),
    Row("SEARCH TEXT in 10,000", "ms", lambda s: search(s, "TEXT"), at_most=0.02, prepare=fill),
]
