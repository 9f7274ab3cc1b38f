"""One message read, judged by the rules and cut into features: pure, one call beside the loop.

Bounded: of a message its first MiB is looked at.
"""

from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filters.spam.features import features
from filters.spam.fuzzy import sketch
from filters.spam.reading import read
from filters.spam.rules.mail import Found, Mail
from filters.spam.rules.run import find
from filters.spam.rules.transit import Transit
from filters.spam.targets import domains_of
from message.crlf import to_crlf
from message.scan import scan_crlf

MAX_READ: Final = 1024 * 1024
MAX_DOMAINS: Final = 30


@dataclass(frozen=True, slots=True)
class Job:
    """A message: `head`, then `data` or the file at `path` from `start` on; and how it came."""

    transit: Transit
    head: bytes
    data: bytes = b""
    path: Path | None = None
    start: int = 0


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found; `author` is the address of From, "" for none; `domains` those that links lead
    to, MAX_DOMAINS of them at most; `bands` is the sketch of the text (filters/spam/fuzzy.py).
    """

    found: tuple[Found, ...]
    features: "array[int]"
    author: str
    domains: tuple[str, ...]
    bands: tuple[str, ...] = ()


def judge(job: Job) -> Judgement:
    """Raises OSError where a spooled file can't be read, and nothing else."""
    data = to_crlf(_bytes_of(job))
    root = scan_crlf(data)
    reading = read(data, root)
    mail = Mail(reading, root, data, job.transit)
    domains = domains_of(mail.targets)[:MAX_DOMAINS]
    return Judgement(find(mail), features(reading), mail.author.address, domains, sketch(mail.text))


def _bytes_of(job: Job) -> bytes:
    if job.path is None:
        return (job.head + job.data[job.start :])[:MAX_READ] if job.head else job.data[:MAX_READ]
    with job.path.open("rb") as file:
        file.seek(job.start)
        return job.head + file.read(MAX_READ - len(job.head))
