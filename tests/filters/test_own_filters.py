"""Filters of an administrator's own: what they may say, and what they can't do to the server."""

import asyncio
import errno
import os
import signal
import struct
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from config.clock import SystemClock
from filters.authentication.results import DkimResult, Outcome
from filters.context import Context, Kind, Message, Peer, Recipient
from filters.own import confine, versions
from filters.own.filter import Own
from filters.own.own import OwnFilters
from filters.own.process import FilterProcess, Job, ProcessFailed
from filters.own.values import job_of, verdict_of
from filters.verdict import ACCEPT, Action, Verdict
from net.threads import Offload
from storage.directory_values import Resolution, Status
from storage.values import Content
from tests.support.directories import MovedClock, make_settings
from tests.support.server import ROOT

HEADER = b"From: Ada <ada@elsewhere.test>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
IMPORTS = "from filters.own.api import *\n"
GOOD = IMPORTS + 'def check(message, context):\n    return tag("seen")\n'


def asked(header: bytes = HEADER, body: bytes = b"text\r\n") -> Context:
    """A message from elsewhere at the end of its data."""
    context = Context(Kind.MX, Peer("192.0.2.7", reverse="mx.elsewhere.test"), trace="m1")
    context.sender, context.helo = "ada@elsewhere.test", "mx.elsewhere.test"
    context.recipients = [Recipient("ben@example.test", Resolution(Status.DELIVERABLE))]
    context.results = [DkimResult(Outcome.PASS, "elsewhere.test")]
    data = header + b"\r\n" + body
    context.message = Message(Content(len(data), b"", data=data), header)
    return context


class Site:
    """Own filters on a folder."""

    def __init__(self, own: OwnFilters, folder: Path, clock: MovedClock) -> None:
        self.own, self.folder, self.clock = own, folder, clock

    def write(self, name: str, text: str) -> None:
        path = self.folder / f"{name}.py"
        path.with_suffix(".new").write_text(text)
        path.with_suffix(".new").rename(path)

    async def judge(self, context: Context | None = None) -> Verdict:
        return await Own(self.own).data(context or asked())


@asynccontextmanager
async def site(tmp_path: Path, files: dict[str, str], **keys: Any) -> AsyncIterator[Site]:
    folder = tmp_path / "own"
    folder.mkdir()
    chosen = {"own": str(folder), "own_processes": 1, "own_timeout": "20s", **keys}
    settings = make_settings(tmp_path, filters=chosen)
    offload, clock = Offload(), MovedClock()
    own = OwnFilters(settings, offload, clock, structlog.get_logger())
    made = Site(own, folder, clock)
    for name, text in files.items():
        made.write(name, text)
    await own.look()
    try:
        yield made
    finally:
        await own.stop()
        offload.close()


def returning(expression: str, more: str = "") -> str:
    return f"{IMPORTS}{more}\ndef check(message, context):\n    return {expression}\n"


async def test_a_filter_sees_the_message_and_where_it_comes_from(tmp_path: Path) -> None:
    text = IMPORTS + (
        "def check(message: Message, context: Context) -> Verdict | None:\n"
        "    assert message.subject == 'Grüße' and message.header('subject') == 'Grüße'\n"
        "    assert message.authors == ('ada@elsewhere.test',) and b'text' in message.raw\n"
        "    assert ('From', 'Ada <ada@elsewhere.test>') in message.fields\n"
        "    assert (context.kind, context.peer) == ('smtp', '192.0.2.7')\n"
        "    assert context.passed('dkim', 'elsewhere.test') and not context.passed('spf')\n"
        "    assert context.recipients == ('ben@example.test',) and not context.account\n"
        "    return tag('seen') + symbol('OURS', -1.5, context.reverse)\n"
    )
    async with site(tmp_path, {"first": text}) as made:
        verdict = await made.judge()
    assert verdict.keywords == {"seen"} and verdict.action is Action.ACCEPT
    assert (verdict.symbols, verdict.score) == (("OURS",), -1.5)
    assert verdict.scored[0].detail == "mx.elsewhere.test"


async def test_text_that_is_no_unicode_passes_both_ways(tmp_path: Path) -> None:
    context = asked()
    context.sender = "b\udcffd@elsewhere.test"
    text = returning("symbol('S', 0, context.sender + '\\udcfe')", "print('\\udcfd')")
    async with site(tmp_path, {"one": text}) as made:
        verdict = await made.judge(context)
    assert [one.detail for one in verdict.scored] == ["b?d@elsewhere.test?"]


MIXED = b"""Subject: x\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary=b\r
\r
--b\r
Content-Type: text/html; charset=utf-8\r
\r
<p>Gr\xc3\xbc\xc3\x9fe <a href="https://evil.test/">bank.test</a><p style="display:none">psst</p>\r
--b\r
Content-Type: image/png; name=a.png\r
Content-Transfer-Encoding: base64\r
\r
TVqQAAMAAAAEAAAA\r
--b--\r
"""


async def test_a_filter_reads_texts_links_and_attachments(tmp_path: Path) -> None:
    text = IMPORTS + (
        "def check(message: Message, context: Context) -> Verdict:\n"
        "    (link,), (file,) = message.links, message.attachments\n"
        "    assert 'Grüße' in message.text and '<p>' in message.html\n"
        "    assert 'psst' not in message.text and 'psst' in message.hidden\n"
        "    assert (link.target, link.text, link.kind) == "
        "('https://evil.test/', 'bank.test', 'a')\n"
        "    assert (file.name, file.type, file.size) == ('a.png', 'image/png', 12)\n"
        "    return symbol('EXE', 1.0, file.kind)\n"
    )
    header, _, body = MIXED.partition(b"\r\n\r\n")
    async with site(tmp_path, {"one": text}) as made:
        verdict = await made.judge(asked(header + b"\r\n", body))
    assert [one.detail for one in verdict.scored] == ["exe"]


async def test_every_verdict_reaches_the_pipeline(tmp_path: Path) -> None:
    said = {
        "reject('no')": (Action.REJECT, 550, "no"),
        "defer('later')": (Action.DEFER, 450, "later"),
        "junk('smells')": (Action.JUNK, 0, "smells"),
        "quarantine('odd')": (Action.QUARANTINE, 0, "odd"),
        "None": (Action.ACCEPT, 0, ""),
        "junk() + reject('no') + accept()": (Action.REJECT, 550, "no"),
    }
    files = {f"one{number}": returning(expression) for number, expression in enumerate(said)}
    async with site(tmp_path, files) as made:
        context = asked()
        assert context.message is not None
        answers = await made.own.judge(job_of(context, context.message))
    for (active, answer), (expression, wanted) in zip(answers, said.items(), strict=True):
        verdict = verdict_of(answer, shadow=False)
        assert (verdict.action, verdict.code, verdict.text) == wanted, expression
        named = f"OWN_{active.name.upper()}" in verdict.symbols
        assert named is (verdict.action is not Action.ACCEPT), expression


async def test_they_are_asked_in_the_order_of_their_names(tmp_path: Path) -> None:
    files = {"20-b": returning("symbol('B')"), "10-a": returning("symbol('A')")}
    async with site(tmp_path, files) as made:
        assert (await made.judge()).symbols == ("A", "B")


async def test_a_large_message_is_read_from_its_file(tmp_path: Path) -> None:
    spooled = tmp_path / "spooled"
    spooled.write_bytes(b"old header\r\nbody")
    context = asked()
    assert context.message is not None
    content = Content(30, b"", prefix=b"Subject: new\r\n\r\n", path=spooled, start=12)
    context.message = Message(content, b"Subject: new\r\n")
    text = returning("symbol('OK') if message.raw == b'Subject: new\\r\\n\\r\\nbody' else None")
    async with site(tmp_path, {"one": text}) as made:
        assert (await made.judge(context)).symbols == ("OK",)
        spooled.unlink()
        assert (await made.judge(context)).symbols == ("OWN_ONE_ERROR",)


async def test_a_filter_in_shadow_only_tells(tmp_path: Path) -> None:
    text = returning("reject('no') + symbol('BAD', 9)", "SHADOW = True")
    async with site(tmp_path, {"strict": text}) as made:
        with capture_logs() as logs:
            verdict = await made.judge()
    assert (verdict.action, verdict.score) == (Action.ACCEPT, 0.0)
    assert verdict.symbols == ("OWN_STRICT_SHADOW",)
    assert verdict.scored[0].detail == "reject, no, BAD(+9)" == logs[0]["verdict"]


HOSTILE: dict[str, tuple[str, str]] = {
    "raises": ("1 / 0", "ZeroDivisionError: division by zero"),
    "returns a number": ("7", "check returned int, not a Verdict or None"),
    "returns what can't travel": ("Verdict(text=lambda: 0)", "function where text is expected"),
    "says nonsense": ("symbol('two words')", "'two words' can't be a symbol"),
    "tags nonsense": ("tag('a b')", "'a b' can't be an IMAP keyword"),
    "says too much": ("symbol('X', 0, 'y' * 10**7)", "its verdict is too large"),
    "weighs infinitely": ("symbol('X', float('inf'))", "weight that is no number"),
    "weighs too much": ("symbol('X', 1001)", "weight beyond 1000"),
    "leaves": ("exit(3)", "SystemExit: 3"),
    "recurses": ("check(message, context)", "RecursionError"),
    "prints for ever": ("[print('x' * 1000) for _ in range(20000)] and None or 1", "returned int"),
    "floods the output": (
        "[__import__('os').write(1, b'x' * 10**6) for _ in range(200)] and 1",
        "returned int",
    ),
    "eats memory": ("bytearray(10**9)", "MemoryError"),
    "fills the disk": ("open('TMP/full', 'wb').write(b'x' * 10**8)", "File too large"),
    "forks": ("__import__('os').fork()", "Operation not permitted"),
    "runs a program": ("__import__('subprocess').run(['/bin/true'])", "Operation not permitted"),
    "ends the process": ("__import__('os')._exit(3)", "the process ended with status 3"),
    "crashes": ("__import__('ctypes').string_at(0)", "the process was killed by SIGSEGV"),
    "kills itself": ("__import__('os').kill(0, 9)", "the process was killed by SIGKILL"),
}


async def test_hostile_filters_say_nothing_and_the_next_one_is_heard(tmp_path: Path) -> None:
    files = {
        f"bad{number:02}": returning(expression.replace("TMP", str(tmp_path)))
        for number, (expression, _) in enumerate(HOSTILE.values())
    }
    async with site(tmp_path, {**files, "z_good": GOOD}) as made:
        verdict = await made.judge()
    assert verdict.action is Action.ACCEPT and verdict.keywords == {"seen"}
    told = {one.name: one.detail for one in verdict.scored}
    assert len(told) == len(HOSTILE)
    for number, (what, (_, wanted)) in enumerate(HOSTILE.items()):
        assert wanted in told[f"OWN_BAD{number:02}_ERROR"], what


LOOPS = ["[0 for _ in iter(int, 1)]", "__import__('time').sleep(1000)", "9 ** 9 ** 9 and None"]


async def test_a_filter_that_hangs_is_killed_and_rests(tmp_path: Path) -> None:
    async with site(tmp_path, {"z_good": GOOD}) as made:
        for expression in LOOPS:
            made.write("bad", returning(expression, "TIMEOUT = 0.3"))
            await made.own.look()
            verdict = await made.judge()
            assert verdict.keywords == {"seen"}
            assert verdict.scored[0].detail == "no answer within 0.3 s"
        await made.judge()
        await made.judge()
        assert made.own.listing()[0]["state"] == "resting"
        assert (await made.judge()).symbols == ()
        made.clock.seconds += 61
        assert (await made.judge()).symbols == ("OWN_BAD_ERROR",)


async def test_threads_are_no_processes(tmp_path: Path) -> None:
    text = IMPORTS + (
        "import threading\n"
        "def check(message, context):\n"
        "    found = []\n"
        "    thread = threading.Thread(target=lambda: found.append('T'))\n"
        "    thread.start()\n"
        "    thread.join()\n"
        "    return symbol(*found)\n"
    )
    async with site(tmp_path, {"one": text}) as made:
        assert (await made.judge()).symbols == ("T",)


async def test_many_messages_share_few_processes(tmp_path: Path) -> None:
    text = returning("symbol(f'P{__import__(\"os\").getpid()}')")
    async with site(tmp_path, {"one": text}, own_processes=2) as made:
        told = await asyncio.gather(*(made.judge() for _ in range(40)))
    assert len({verdict.symbols for verdict in told}) <= 2


async def test_a_changed_file_counts_at_once_and_a_broken_one_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with site(tmp_path, {"one": returning("symbol('OLD')")}) as made:
        made.write("one", returning("symbol('NEW')"))
        await made.own.look()
        assert (await made.judge()).symbols == ("NEW",)
        for broken, reason, line in (
            ("def check(:\n", "SyntaxError: invalid syntax", 1),
            ("\nimport nothing_of_that_name\n", "ModuleNotFoundError", 2),
            ("x = 1\n", "there is no function check(message, context)", 0),
            ("SHADOW = 1\ndef check(m, c): ...\n", "SHADOW is True or False", 0),
            ("TIMEOUT = 99\ndef check(m, c): ...\n", "at most 30 seconds", 0),
            ("while True: pass\n", "no answer within 1 s", 0),
            ("import os\nos._exit(9)\n", "ended with status 9", 0),
        ):
            made.write("one", broken)
            with capture_logs() as logs, monkeypatch.context() as patched:
                if broken.startswith("while"):
                    patched.setattr(versions, "LOAD_SECONDS", 1.0)
                await made.own.look()
            assert reason in logs[0]["reason"] and logs[0]["line"] == line, broken
            assert logs[0]["earlier_version_in_use"]
            assert (await made.judge()).symbols == ("NEW",), broken
            assert "its earlier version is in use" in made.own.listing()[0]["problem"]
        (made.folder / "one.py").unlink()
        await made.own.look()
        assert await made.judge() is ACCEPT and made.own.listing() == []


async def test_files_beside_filters_change_with_them(tmp_path: Path) -> None:
    files = {"_words": "WORD = 'A'\n", "one": returning("symbol(WORD)", "from _words import WORD")}
    async with site(tmp_path, files) as made:
        assert (await made.judge()).symbols == ("A",)
        made.write("_words", "WORD = 'B'\n")
        await made.own.look()
        assert (await made.judge()).symbols == ("B",)
        made.write("_words", "WORD =\n")
        await made.own.look()
        assert (await made.judge()).symbols == ("B",)
        assert len(made.own.problems) == 1


async def test_a_broken_file_at_the_start_leaves_the_others(tmp_path: Path) -> None:
    async with site(tmp_path, {"bad": "raise ValueError('x')\n", "good": GOOD}) as made:
        assert (await made.judge()).keywords == {"seen"}
        rows = {row["name"]: row for row in made.own.listing()}
    assert (rows["good"]["state"], rows["good"]["calls"]) == ("active", 1)
    assert rows["bad"]["state"] == "broken"
    assert rows["bad"]["problem"].endswith("bad.py:1: ValueError: x")


async def test_files_that_everybody_may_write_are_not_loaded(tmp_path: Path) -> None:
    async with site(tmp_path, {"one": GOOD}) as made:
        (made.folder / "two.py").write_text(GOOD)
        (made.folder / "two.py").chmod(0o666)
        await made.own.look()
        assert [one.name for one in made.own.active] == ["one"]
        made.folder.chmod(0o777)
        with capture_logs() as logs:
            made.write("three", GOOD)
            await made.own.look()
        assert "everybody may write" in logs[0]["reason"]
        assert [one.name for one in made.own.active] == ["one"]


async def test_the_folder_is_watched_and_the_configuration_followed(tmp_path: Path) -> None:
    async with site(tmp_path, {}) as made:
        await made.own.start()
        made.write("one", GOOD)
        await _until(lambda: len(made.own.active) == 1)
        made.own.reload(make_settings(tmp_path))
        await _until(lambda: not made.own.active)
        made.own.reload(make_settings(tmp_path, filters={"own": str(made.folder)}))
        await _until(lambda: len(made.own.active) == 1)
        assert (await made.judge()).keywords == {"seen"}


async def test_no_message_passes_while_the_configuration_changes(tmp_path: Path) -> None:
    async with site(tmp_path, {"one": GOOD}) as made:
        chosen = {"own": str(made.folder), "own_processes": 2, "own_timeout": "19s"}
        made.own.reload(make_settings(tmp_path, filters=chosen))
        looking = asyncio.create_task(made.own.look())
        told = set()
        while not looking.done():
            told.add((await made.judge()).keywords)
            await asyncio.sleep(0)
        assert told == {frozenset({"seen"})}
        assert [one.timeout for one in made.own.active] == [19.0]


async def test_an_earlier_version_outlives_a_change_of_the_configuration(tmp_path: Path) -> None:
    async with site(tmp_path, {"one": GOOD}) as made:
        made.write("one", "def check(:\n")
        await made.own.look()
        chosen = {"own": str(made.folder), "own_timeout": "19s"}
        made.own.reload(make_settings(tmp_path, filters=chosen))
        await made.own.look()
        assert (await made.judge()).keywords == {"seen"}
        other = tmp_path / "other"
        other.mkdir()
        (other / "one.py").write_text("def check(:\n")
        made.own.reload(make_settings(tmp_path, filters={"own": str(other)}))
        await made.own.look()
        assert await made.judge() is ACCEPT


async def test_a_process_that_ended_meanwhile_costs_no_message_its_filters(tmp_path: Path) -> None:
    text = returning("symbol(f'P{__import__(\"os\").getpid()}')")
    async with site(tmp_path, {"one": text}) as made:
        (first,) = (await made.judge()).symbols
        (idle,) = made.own._pool._idle
        os.kill(int(first[1:]), signal.SIGKILL)
        await _until(lambda: idle.ended)
        (second,) = (await made.judge()).symbols
        assert second[0] == "P" and second != first
        assert made.own.listing()[0]["errors"] == 0


async def test_a_message_larger_than_the_memory_is_no_fault_of_a_filter(tmp_path: Path) -> None:
    spooled = tmp_path / "spooled"
    with spooled.open("wb") as file:
        file.truncate(200 * 1024**2)
    context = asked()
    assert context.message is not None
    context.message = Message(Content(200 * 1024**2, b"", path=spooled), HEADER)
    async with site(tmp_path, {"one": GOOD, "two": GOOD}, own_memory="128M") as made:
        for _ in range(4):
            verdict = await made.judge(context)
            assert verdict.symbols == ("OWN_ONE_ERROR", "OWN_TWO_ERROR")
            assert verdict.scored[0].detail == "the message can't be read: MemoryError"
        assert [row["state"] for row in made.own.listing()] == ["active", "active"]
        assert (await made.judge()).keywords == {"seen"}


async def test_a_process_that_takes_nothing_is_killed_all_the_same() -> None:
    offload = Offload()
    process = await FilterProcess.start(offload, 2**28)
    os.kill(process._child.pid, signal.SIGSTOP)
    await process.ask([("one", 0.1)], Job({}, bytes(4 * 1024**2)))
    with pytest.raises(ProcessFailed, match=r"no answer within 0\.1 s"):
        await process.answer("one", 0.1)
    async with asyncio.timeout(30):
        await process.kill()
    assert process._child.returncode == -signal.SIGKILL
    offload.close()


def _judged(program: bytes, machine: int, call: int, argument: int = 0) -> int:
    """What the kernel would make of a system call: the few instructions of BPF that are in use."""
    lines, at, value = list(struct.iter_unpack("HBBI", program)), 0, 0
    while True:
        code, jump, other, operand = lines[at]
        at += 1
        if code == 0x06:
            return int(operand)
        if code == 0x20:
            value = {0: call, 4: machine, 16: argument}[operand]
        else:
            met = value == operand if code == 0x15 else value & operand
            at += jump if met else other


@pytest.mark.parametrize(
    ("name", "forbidden", "clone", "harmless"),
    [("x86_64", (57, 58, 59, 322), 56, (0, 1, 9, 41)), ("aarch64", (221, 281), 220, (63, 64, 198))],
)
def test_which_calls_a_process_may_not_make(
    name: str, forbidden: tuple[int, ...], clone: int, harmless: tuple[int, ...]
) -> None:
    machine, calls = confine._CALLS[name]
    program = confine._program(machine, calls)
    refused = {_judged(program, machine, call) for call in forbidden}
    assert refused == {0x00050000 | errno.EPERM}
    assert {_judged(program, machine, call) for call in harmless} == {0x7FFF0000}
    assert _judged(program, machine, clone, 0x11) == 0x00050000 | errno.EPERM
    assert _judged(program, machine, clone, 0x003D0F00) == 0x7FFF0000  # as pthread_create asks
    assert _judged(program, machine, 435) == 0x00050000 | errno.ENOSYS


async def _until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not check():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_a_real_clock_lets_a_server_go_on_while_filters_hang(tmp_path: Path) -> None:
    """Ten messages and one process: none waits longer than the filter's time for each before it."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "bad.py").write_text(returning(LOOPS[0], "TIMEOUT = 0.2"))
    settings = make_settings(tmp_path, filters={"own": str(folder), "own_processes": 1})
    offload = Offload()
    own = OwnFilters(settings, offload, SystemClock(), structlog.get_logger())
    await own.look()
    try:
        told = await asyncio.gather(*(Own(own).data(asked()) for _ in range(10)))
    finally:
        await own.stop()
        offload.close()
    assert {verdict.action for verdict in told} == {Action.ACCEPT}


CRASHES = """
import asyncio, os, sys
from filters.own.process import FilterProcess
from filters.own.sources import Source
from net.threads import Offload

async def main():
    process = await FilterProcess.start(Offload(), 2**28)
    text = f"import os\\nopen({sys.argv[1]!r}, 'w').write(str(os.getpid()))\\n" + sys.argv[2]
    try:
        await process.load([Source("a", "a.py", text)], [], 1.0)
    except Exception:
        pass
    os._exit(0)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    "busy", ["while True: pass", "import time; time.sleep(1000)", "9 ** 9 ** 9"]
)
async def test_a_process_ends_with_its_server(tmp_path: Path, busy: str) -> None:
    """Also while a filter keeps it busy."""
    at = tmp_path / "pid"
    code = ["-c", CRASHES, str(at), busy]
    server = await asyncio.create_subprocess_exec(sys.executable, *code, cwd=ROOT)
    assert await server.wait() == 0
    process = Path(f"/proc/{int(at.read_text())}")
    await _until(lambda: not process.exists())
