"""Who judges the corpus: our filter with and without its rules, bogofilter, SpamAssassin's rules.

All see the same bytes and no network. A judge learns mails and gives a score, higher for spam.
"""

import re
import shutil
import subprocess
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from filters.spam import model
from filters.spam.features import features
from filters.spam.reading import read
from filters.spam.result import MARGIN_POINTS, bayes
from filters.spam.rules.mail import Mail as Judged
from filters.spam.rules.run import find, scored
from filters.spam.rules.transit import Transit
from filters.spam.weights import NOBODY, SiteWeights
from message.crlf import to_crlf
from message.scan import scan_crlf
from tests.bench.spam_corpus import Mail

BASE: Final = Path("var/bench/spam")
_NUMBER: Final = re.compile(rb"^X-Corpus-Number: (\d+)\r?$", re.MULTILINE)
_POINTS: Final = re.compile(rb"^X-Spam-Status: \w+, score=(-?[\d.]+)", re.MULTILINE)
_PREFERENCES: Final = "use_bayes 0\nreport_safe 0\ndns_available no\n"


class Judge(Protocol):
    """`name` stands in the table."""

    name: str

    def learn(self, mails: Sequence[Mail]) -> None:
        """Many at once, on top of nothing."""

    def learn_one(self, mail: Mail) -> None:
        """As when a user says what a mail is."""

    def scores(self, mails: Sequence[Mail]) -> list[float]:
        """Of mails not learned, in their order."""


class Read:
    """What our filter sees of each mail, read once."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[array[int], float]] = {}

    def of(self, mail: Mail) -> "tuple[array[int], float]":
        """Features, and the score of the rules."""
        found = self._known.get(mail.name)
        if found is None:
            found = self._known[mail.name] = _read(mail)
        return found


def _read(mail: Mail) -> "tuple[array[int], float]":
    data = to_crlf(mail.data)
    root = scan_crlf(data)
    reading = read(data, root)
    rules = find(Judged(reading, root, data, Transit(now=mail.date)))
    return features(reading), sum(one.weight for one in scored(rules, {}))


class Ours:
    """Points of the filter `spam`: the classifier, and the rules on top unless left out."""

    def __init__(self, read_once: Read, rules: bool = True) -> None:
        self.name = "ours" if rules else "ours, classifier alone"
        self._read, self._rules = read_once, rules
        self._model = SiteWeights()

    def learn(self, mails: Sequence[Mail]) -> None:
        self._model = SiteWeights()
        lessons = [(self._read.of(mail)[0], mail.spam) for mail in mails]
        for (found, spam), by in zip(lessons, model.fit(lessons), strict=True):
            self._teach(found, spam, by)

    def learn_one(self, mail: Mail) -> None:
        found, _ = self._read.of(mail)
        by = model.step_at(len(found), self._model.margin(found), mail.spam)
        self._teach(found, mail.spam, by)

    def _teach(self, found: "array[int]", spam: bool, by: int) -> None:
        """As the administrator does."""
        self._model.teach(found, by if spam else -by, NOBODY)

    def scores(self, mails: Sequence[Mail]) -> list[float]:
        return [self._score(*self._read.of(mail)) for mail in mails]

    def classify(self, data: bytes) -> float:
        """What the classifier does with a message, from its octets on."""
        return self._model.margin(features(read(to_crlf(data))))

    def _score(self, found: "array[int]", rules: float) -> float:
        margin = self._model.margin(found)
        if not self._rules:
            return MARGIN_POINTS * margin
        return rules + sum(one.weight for one in bayes(model.probability(margin), {}))


class Bogofilter:
    """As Debian configures it."""

    name = "bogofilter"

    def __init__(self) -> None:
        self._folder = BASE / "bogofilter"

    def learn(self, mails: Sequence[Mail]) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        for spam in (False, True):
            names = self._files([mail for mail in mails if mail.spam is spam])
            self._run("-s" if spam else "-n", "-b", data="\n".join(names).encode())

    def learn_one(self, mail: Mail) -> None:
        self._run("-s" if mail.spam else "-n", data=mail.data)

    def scores(self, mails: Sequence[Mail]) -> list[float]:
        if len(mails) == 1:
            return [float(self._run("-TT", data=mails[0].data))]
        said = self._run("-TT", "-b", data="\n".join(self._files(mails)).encode())
        return [float(line.split()[-1]) for line in said.splitlines()]

    def _files(self, mails: Sequence[Mail]) -> list[str]:
        folder = BASE / "mails"
        paths = [folder / mail.name for mail in mails]
        for mail, path in zip(mails, paths, strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(mail.data)
        return [str(path) for path in paths]

    def _run(self, *options: str, data: bytes) -> bytes:
        command = ["bogofilter", "-d", str(self._folder), *options]
        done = subprocess.run(command, input=data, stdout=subprocess.PIPE, check=False)
        if done.returncode > 2:  # 0 spam, 1 ham, 2 unsure
            raise RuntimeError(f"bogofilter failed: {done.returncode}")
        return done.stdout


class SpamAssassin:
    """Its rules alone: no network, nothing learned."""

    name = "SpamAssassin, rules"

    def learn(self, mails: Sequence[Mail]) -> None:
        pass

    def learn_one(self, mail: Mail) -> None:
        pass

    def scores(self, mails: Sequence[Mail]) -> list[float]:
        BASE.mkdir(parents=True, exist_ok=True)
        preferences = BASE / "spamassassin.prefs"
        preferences.write_text(_PREFERENCES)
        command = ["spamassassin", "--local", "--mbox", "-p", str(preferences)]
        box = b"".join(_boxed(number, mail.data) for number, mail in enumerate(mails))
        said = subprocess.run(command, input=box, stdout=subprocess.PIPE, check=True).stdout
        # it gives them back in an order of its own
        found = {}
        for message in re.split(rb"^From x@mail\.example .*\n", said, flags=re.MULTILINE)[1:]:
            number, points = _NUMBER.search(message), _POINTS.search(message)
            if number and points:
                found[int(number[1])] = float(points[1])
        return [found[number] for number in range(len(mails))]


def _boxed(number: int, data: bytes) -> bytes:
    data = re.sub(rb"^(>*From )", rb">\1", data, flags=re.MULTILINE).rstrip(b"\n")
    head = b"From x@mail.example Mon Jan  1 00:00:00 2002\nX-Corpus-Number: %d\n" % number
    return head + data + b"\n\n"
