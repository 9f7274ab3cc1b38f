"""Operations on filters of one's own: list, test over stored mail.

A test of files needs neither server nor store: `test_files` is called by the command itself.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from config.logging import silent_logger
from config.settings import Settings
from filters.own.own import OwnFilters
from filters.own.past import past_context
from filters.own.trial import Trial, TrialError, trial
from filters.own.values import Answer, describe, job_of_stored
from mailserver.control import Progress
from mailserver.operations.errors import OperationError
from mailserver.operations.stored import last_messages
from mailserver.services import Services
from message.headers import first, header_block
from message.words import decode_words
from net.threads import Offload

Args = Mapping[str, Any]
MOST_MESSAGES = 100_000
FEW = 50  # no progress is told of less


async def filter_list(services: Services, _args: Args) -> list[dict[str, Any]]:
    """Every file of the folder: {name, file, state, timeout, calls, errors, milliseconds, actions,
    problem}. Without a server they are loaded for it.
    """
    if services.server is not None:
        return services.server.own.listing()
    own = OwnFilters(services.settings, services.offload, services.clock, silent_logger())
    try:
        await own.look()
        if own.problem:
            raise OperationError(own.problem)
        return own.listing()
    finally:
        await own.stop()


async def filter_test(services: Services, args: Args, progress: Progress) -> list[dict[str, Any]]:
    """Asks the filter at `args["file"]` about the last `last` messages of `mailbox` of `account`.

    Rows as of `test_files`. Nothing is changed.
    """
    account = await services.directory.account(str(args["account"]))
    if account is None:
        raise OperationError(f"no such account: {args['account']}")
    last, name = min(int(args["last"]), MOST_MESSAGES), str(args["mailbox"])
    rows: list[dict[str, Any]] = []
    try:
        async with trial(
            Path(str(args["file"])), services.settings.filters, services.offload
        ) as it:
            box = await services.store.mailbox(account.id, name)
            async for kept in last_messages(services, account.id, box, last):
                job = job_of_stored(past_context(kept.data, (account.address,)), kept.data)
                answer = await it.ask(job)
                rows.append(_row(f"{name}/{kept.row.uid}", kept.data, answer, it))
                if kept.total > FEW:
                    progress(len(rows), kept.total, it.active.name)
    except TrialError as error:
        raise OperationError(str(error)) from None
    return rows


async def test_files(
    settings: Settings, file: Path, messages: list[tuple[str, bytes]], progress: Progress
) -> list[dict[str, Any]]:
    """Asks the filter about messages: {message, subject, verdict, shadow, symbols, tags, action,
    text, milliseconds, error, line, printed}.
    """
    rows: list[dict[str, Any]] = []
    offload = Offload()
    try:
        async with trial(file, settings.filters, offload) as it:
            for name, raw in messages:
                answer = await it.ask(job_of_stored(past_context(raw), raw))
                rows.append(_row(name, raw, answer, it))
                if len(messages) > FEW:
                    progress(len(rows), len(messages), it.active.name)
    except TrialError as error:
        raise OperationError(str(error)) from None
    finally:
        offload.close()
    return rows


def _row(name: str, raw: bytes, answer: Answer, it: Trial) -> dict[str, Any]:
    verdict = answer.verdict
    return {
        "message": name,
        "subject": decode_words(first(header_block(raw), b"subject") or b""),
        "verdict": "error" if answer.error else describe(verdict) or "accept",
        "action": None if answer.error else verdict.action.value,
        "text": verdict.text,
        "symbols": [
            {"name": one.name, "weight": one.weight, "detail": one.detail}
            for one in verdict.symbols
        ],
        "tags": sorted(verdict.tags),
        "shadow": it.active.shadow,
        "milliseconds": round(answer.seconds * 1000, 2),
        "error": answer.error,
        "line": answer.line,
        "printed": answer.printed,
    }
