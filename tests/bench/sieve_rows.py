"""What a script of 1,000 rules costs, of the kinds that people write: none of them matches but the
last. The other side is Pigeonhole's sieve-test with its compiled script, without its start.
"""

import resource
import statistics
import subprocess
import time
from dataclasses import replace
from functools import cache

from filters.sieve.environment import Environment
from filters.sieve.limits import LIMITS
from filters.sieve.mail import mail_of
from filters.sieve.running import run
from filters.sieve.script import Script, compile_script
from tests.bench.clients import message
from tests.bench.rows import Row
from tests.bench.sides import Side
from tests.support.pigeonhole import Pigeonhole, pigeonhole

RULES = 1000
_LIMITS = replace(LIMITS, script_size=1024 * 1024)
_HEAD = 'require ["fileinto", "regex", "relational", "comparator-i;ascii-numeric"];\n'
_KINDS = (
    'address :is "from" "friend{}@example.com"',
    'header :contains "subject" "offer {}"',
    'address :domain :is ["to", "cc"] "list{}.example.com"',
    'header :matches "list-id" "*<list{}.example.com>"',
    'anyof (header :contains "subject" "[bug {}]", header :is "x-bug" "{}")',
    'allof (size :over 10M, header :regex "subject" "^re: (case|ticket) {}$")',
)


@cache
def _text() -> str:
    """About 90 octets a rule."""
    rules = [
        f'if {_KINDS[at % len(_KINDS)].replace("{}", str(at))} {{ fileinto "F{at}"; stop; }}\n'
        for at in range(RULES - 1)
    ]
    return "".join([_HEAD, *rules, 'if exists "from" { fileinto "Last"; }\n'])


@cache
def _script() -> Script:
    return compile_script(_text(), _LIMITS)


def _milliseconds() -> float:
    """Reading the header is part of each."""
    data, known, times = message(4096, 1), Environment(), []
    for _ in range(20):
        start = time.thread_time()
        outcome = run(_script(), mail_of(data), known)
        times.append(time.thread_time() - start)
        assert len(outcome.actions) == 1
    return statistics.median(times) * 1000


def _theirs(peer: Pigeonhole, script: str) -> float:
    """CPU of whole processes, whose script is compiled before."""
    folder, text = peer.folder, message(4096, 1).decode().replace("\r\n", "\n")
    peer.actions(script, text, "a@example.com", "b@example.com")
    command = ["sieve-test", "-c", str(folder / "dovecot.conf"), "script.sieve", "mail.eml"]
    subprocess.run(["sievec", "-c", *command[2:4]], cwd=folder, check=True)
    before = _children()
    for _ in range(20):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return (_children() - before) / 20 * 1000


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def rules(side: Side) -> float:
    """Milliseconds of CPU for one message."""
    if side.name == "mailserver":
        return _milliseconds()
    with pigeonhole() as peer:
        return max(_theirs(peer, _text()) - _theirs(peer, _HEAD + "keep;"), 0.0)


def compiling(side: Side) -> float:
    """Milliseconds of CPU to read and check the script."""
    if side.name == "mailserver":
        start = time.thread_time()
        compile_script(_text(), _LIMITS)
        return (time.thread_time() - start) * 1000
    with pigeonhole() as peer:
        folder = peer.folder
        command = ["sievec", "-c", str(folder / "dovecot.conf"), "script.sieve"]
        figures = []
        for text in (_text(), _HEAD + "keep;"):
            (folder / "script.sieve").write_text(text)
            before = _children()
            subprocess.run(command, cwd=folder, check=True)
            figures.append(_children() - before)
        return max(figures[0] - figures[1], 0.0) * 1000


ROWS = [
    Row("Sieve, 1,000 rules over a message of 4 KiB", "ms", rules, limit=5),
    Row("Sieve, 1,000 rules compiled", "ms", compiling, limit=200),
]
