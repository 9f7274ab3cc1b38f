"""`mailserver sieve test`: what a script or rule would do to stored messages."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from filters.recipients.dry_run import DryRun, Would
from filters.recipients.scripts import Scripting
from filters.rules.shapes import rule_of
from filters.rules.values import BadRule
from filters.rules.writing import format_rules
from filters.sieve.errors import CompileError
from filters.sieve.limits import LIMITS
from mailserver.control import Progress
from mailserver.operations.errors import OperationError
from mailserver.operations.sieve import account_of
from mailserver.operations.stored import Kept, last_messages
from mailserver.personal_wiring import build_scripting
from mailserver.services import Services
from message.headers import first, header_block
from message.words import decode_words
from net.threads import Busy
from storage.directory_values import Account, Target
from storage.duplicates import Duplicates
from storage.metadata import Metadata

Args = Mapping[str, Any]
MOST_MESSAGES = 10_000  # a result of some 3 MB, written as JSON in one go
FEW = 50  # no progress is told of less
_HEAD = 64 * 1024


async def sieve_test(services: Services, args: Args, progress: Progress) -> dict[str, Any]:
    """The script `name`, `text` or `rule` of an account, else its active one, over the newest
    `last` messages of `mailbox`. Nothing is changed.

    Gives {script,mailbox,tested,changed,failed,messages:[{message,uid,subject,changed,effects,
    actions:[{text,line}],matched,error,line}]}.
    """
    account = await account_of(services, args)
    title, text = await _text(services, account, args)
    last = min(int(args["last"]), MOST_MESSAGES)
    box = await services.store.named(account.id, str(args["mailbox"]))
    rows: list[dict[str, Any]] = []
    async with _scripting(services) as scripting:
        try:
            script = await scripting.compiled(text)
            run = DryRun(scripting, script, Target(account.id, account.address), box)
            most = LIMITS.body_size if script.reads_body else _HEAD
            async for kept in last_messages(services, account.id, box, last, most):
                would = await run.over(kept.row, kept.data)
                rows.append(_row(box.name, kept, would))
                if kept.total > FEW:
                    progress(len(rows), kept.total, title)
        except CompileError as error:
            raise OperationError("; ".join(map(str, error.problems))) from None
        except Busy:
            raise OperationError("the server is busy; try again") from None
    return {
        "script": title,
        "mailbox": box.name,
        "tested": len(rows),
        "changed": sum(row["changed"] for row in rows),
        "failed": sum(bool(row["error"]) for row in rows),
        "messages": rows,
    }


async def _text(services: Services, account: Account, args: Args) -> tuple[str, bytes]:
    """What it is called in the output, and the script."""
    scripts = services.directory.scripts
    if args.get("rule") is not None:
        try:
            rule = rule_of(args["rule"])
        except BadRule as error:
            raise OperationError(str(error)) from None
        return rule.name, format_rules([rule]).encode()
    if args.get("text") is not None:
        return "script", str(args["text"]).encode("utf-8", "surrogateescape")
    if args.get("name"):
        found = await scripts.get(account.id, str(args["name"]))
        return found.name, found.text
    active = await scripts.active(account.id)
    if active is None:
        raise OperationError(f"no script of {account.address} is active: name one")
    return active.name, active.text


@asynccontextmanager
async def _scripting(services: Services) -> AsyncIterator[Scripting]:
    metadata = Metadata(services.directory.database, services.store)
    duplicates = Duplicates(services.history, services.clock)
    try:
        yield build_scripting(services, metadata, duplicates, lambda: False)
    finally:
        await metadata.close()


def _row(mailbox: str, kept: Kept, would: Would) -> dict[str, Any]:
    return {
        "message": f"{mailbox}/{kept.row.uid}",
        "uid": kept.row.uid,
        "subject": decode_words(first(header_block(kept.data[:_HEAD]), b"subject") or b""),
        "changed": bool(would.effects),
        "effects": list(would.effects),
        "actions": [{"text": text, "line": line} for text, line in would.actions],
        "matched": list(would.matched),
        "error": would.error,
        "line": would.line,
    }
