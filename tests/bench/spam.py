"""Measures the spam filter on the labelled corpus; called by `scripts/bench spam`.

Everything is chosen on the older part, by what is printed here: cross-validation, and the older
part cut in two by time. `--release` alone opens the newer part, from a committed state, and appends
what it finds to docs/spam-log.md. docs/spam.md explains the figures.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final

from tests.bench import spam_corpus
from tests.bench.spam_corpus import Mail
from tests.bench.spam_figures import Scores, Share
from tests.bench.spam_judges import Bogofilter, Judge, Ours, Read, SpamAssassin

LOG: Final = Path("docs/spam-log.md")
FOLDS: Final = 5
ROUNDS: Final = 3
FIRST: Final = 0.6
"""Of the older part cut in two by time: how much of each class comes before."""
WRONG: Final = 2 / 1245
"""The share of wrong ham that a cut may have: what the newer part may have of its ham."""
SEED: Final = 5


def main(arguments: Sequence[str]) -> int:
    if arguments == ["--release"]:
        return release()
    if arguments:
        print("usage: scripts/bench spam [--release]", file=sys.stderr)
        return 2
    mails = spam_corpus.older()
    print(f"{_count(mails)} in the older part")
    read, cuts = Read(), {}
    learning: list[Judge] = [Ours(read), Ours(read, rules=False), Bogofilter()]
    for judge in learning:
        cuts[judge.name], found = cross_validated(judge, mails)
        how = f"{ROUNDS} times {FOLDS} folds, cut at {cuts[judge.name]:.4g}"
        print(f"\n{judge.name}, {how}: {_said(found, cuts)}")
    before, after = _by_time(mails)
    print(f"\nby time: {_count(before)} before {_count(after)}")
    for judge in (*learning, SpamAssassin()):
        for line in judged(judge, before, after, cuts.get(judge.name, 5.0)):
            print(line, flush=True)
    _print_costs(Ours(read), after)
    return 0


def release() -> int:
    """The figures that count, once a version."""
    commit = _clean_commit()
    if commit is None:
        print("the tree differs from its commit: nothing is measured", file=sys.stderr)
        return 1
    mails, newer = spam_corpus.older(), spam_corpus.newer()
    log(f"\n## {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit}\n")
    log(f"Trained on {_count(mails)}, judged on {_count(newer)}.\n")
    read = Read()
    sides: list[list[Judge]] = [[Ours(read), Ours(read, rules=False)], [Bogofilter()]]
    with ThreadPoolExecutor(len(sides) + 1) as threads:
        jobs = [threads.submit(_release_of, side, mails, newer) for side in sides]
        jobs.append(threads.submit(_release_of, [SpamAssassin()], mails, newer))
        for job in jobs:
            job.result()
    return 0


def _release_of(judges: Sequence[Judge], mails: Sequence[Mail], newer: Sequence[Mail]) -> None:
    """Each is written down when it is known: no figure is lost by what comes after it."""
    for judge in judges:
        learns = not isinstance(judge, SpamAssassin)
        cut = cross_validated(judge, mails)[0] if learns else 5.0
        log("\n".join(judged(judge, mails, newer, cut, named=judge.name == "ours")))


def log(text: str) -> None:
    """Prints it, and appends it to LOG."""
    print(text, flush=True)
    with LOG.open("a") as file:
        file.write(f"{text}\n")


def cross_validated(judge: Judge, mails: Sequence[Mail]) -> tuple[float, Scores]:
    """The cut that leaves a share of WRONG of the ham above it, and the last scores it comes from.

    The mean of ROUNDS of FOLDS: it hangs on a handful of ham, in each of them.
    """
    cuts, ham = [], sum(not mail.spam for mail in mails)
    for number in range(ROUNDS):
        found = _validated(judge, mails, SEED + number)
        cuts.append(found.cut(int(ham * WRONG)))
    return statistics.fmean(cuts), found


def _validated(judge: Judge, mails: Sequence[Mail], seed: int) -> Scores:
    order = list(range(len(mails)))
    Random(seed).shuffle(order)
    scores = [0.0] * len(mails)
    for fold in range(FOLDS):
        held = set(order[fold::FOLDS])
        judge.learn([mail for index, mail in enumerate(mails) if index not in held])
        places = sorted(held)
        for place, score in zip(places, judge.scores([mails[n] for n in places]), strict=True):
            scores[place] = score
    return Scores(scores, [mail.spam for mail in mails])


def judged(
    judge: Judge, before: Sequence[Mail], after: Sequence[Mail], cut: float, named: bool = False
) -> list[str]:
    """What a judge makes of later mails: with a fixed cut, and learning each after judging it."""
    judge.learn(before)
    spam = [mail.spam for mail in after]
    fixed = Scores(judge.scores(after), spam)
    lines = [f"- {judge.name}, nothing learned on the way, cut at {cut:.4g}:"]
    lines += [f"  spam caught {fixed.caught(cut)}; ham wrong {fixed.wrong(cut)}"]
    lines += _curve(fixed)
    if named:
        lines += _missed(fixed, after, cut)
    if isinstance(judge, SpamAssassin):
        return lines
    scores = []
    for mail in after:
        scores += judge.scores([mail])
        judge.learn_one(mail)
    coming = Scores(scores, spam)
    lines += [f"- {judge.name}, each mail judged, then learned:"]
    lines += [f"  at the same cut: spam {coming.caught(cut)}; ham wrong {coming.wrong(cut)}"]
    lines += _curve(coming)
    if named:
        lines += _missed(coming, after, coming.cut(6))
    return lines


def _curve(found: Scores) -> list[str]:
    return [f"  at {wrong} wrong ham: spam {found.at(wrong)}" for wrong in (0, 1, 2, 6)]


def _missed(found: Scores, mails: Sequence[Mail], cut: float) -> list[str]:
    """Every ham above the cut, the worst first."""
    wrong = [
        (score, mail.name)
        for score, mail in zip(found.scores, mails, strict=True)
        if score > cut and not mail.spam
    ]
    return [f"  ham above {cut:.4g}: {name} ({score:.2f})" for score, name in sorted(wrong)[::-1]]


def _said(found: Scores, cuts: dict[str, float]) -> str:
    cut = list(cuts.values())[-1]
    return f"spam {found.caught(cut)}; ham wrong {found.wrong(cut)}"


def _by_time(mails: Sequence[Mail]) -> tuple[list[Mail], list[Mail]]:
    before: list[Mail] = []
    after: list[Mail] = []
    for spam in (False, True):
        some = [mail for mail in mails if mail.spam is spam]
        cut = int(len(some) * FIRST)
        before += some[:cut]
        after += some[cut:]
    for part in (before, after):
        part.sort(key=lambda mail: (mail.date, mail.name))
    return before, after


def _count(mails: Sequence[Mail]) -> str:
    share = Share(sum(mail.spam for mail in mails), len(mails))
    return f"{share.total - share.found} ham and {share.found} spam"


def _print_costs(judge: Ours, mails: Sequence[Mail]) -> None:
    """CPU of what the classifier costs a mail of 4 KiB: reading, features, margin."""
    some = [mail for mail in mails if 3500 < len(mail.data) < 4700]
    judge.learn(mails)
    began = time.process_time()
    for mail in some:
        judge.classify(mail.data)
    spent = (time.process_time() - began) / max(1, len(some))
    print(f"\nCPU of reading, features and margin: {1000 * spent:.2f} ms a mail of 4 KiB")


def _clean_commit() -> str | None:
    if subprocess.run(["git", "status", "--porcelain"], capture_output=True, check=True).stdout:
        return None
    said = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, check=True)
    return said.stdout.decode().strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
