"""Operations on what is learned about spam: teach, forget, count and grade. They work the same with
and without a serving process.
"""

from collections.abc import AsyncIterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from filters.spam.evaluation import Evaluation, Grade, Grades, Trial
from filters.spam.follower import READ
from filters.spam.grading import Rate, Tally
from filters.spam.rescan import Rescanner
from filters.spam.study import Study, study
from mailserver.control import Progress
from mailserver.operations.errors import OperationError
from mailserver.services import Services
from net.threads import Pool
from storage.errors import MessageMissing, NoSuchMailbox
from storage.importer.messages import read_messages
from storage.importer.source import ImportRefused, SourceMessage
from storage.spam_values import SITE, Known, Label, Lesson
from storage.values import AccountId

Args = Mapping[str, Any]
PIECE = 50
ALL = "all"
MOST_DAYS = 30.0
DAY = 86400.0


async def spam_show(services: Services, args: Args) -> dict[str, Any]:
    """How much was learned. Args: account, or none for the site."""
    owner, name = await _owner(services, args)
    totals = await services.learned.totals(owner)
    shown = {"account": name, "spam": totals.own.spam, "ham": totals.own.ham}
    if owner == SITE:
        return {**shown, "accounts": totals.voters}
    return {**shown, "site_spam": totals.site.spam, "site_ham": totals.site.ham}


async def spam_train(services: Services, args: Args, progress: Progress) -> dict[str, Any]:
    """Teaches messages. Args: label (spam or ham), paths, mailboxes (ADDRESS/NAME), account.

    Gives {account, label, messages, learned, taken_back, unreadable}.
    """
    owner, name = await _owner(services, args)
    label = {"spam": Label.SPAM, "ham": Label.HAM}.get(str(args.get("label")))
    if label is None:
        raise OperationError("either --spam or --ham")
    done = _Done()
    async for batch in _studied(services, args, progress, done):
        lessons = [Lesson(one.key, Known(), label, one.features) for one in batch]
        steps = await services.learned.teach(owner, lessons)
        done.learned += len(steps)
        done.taken_back += sum(step.before.label is not Label.NONE for step in steps)
    if done.learned:
        progress(0, 0, "weighing all lessons together")
        await services.learned.prune()
        await services.learned.refit(owner)
    return {"account": name, "label": label.name.lower(), **done.shown()}


async def spam_forget(services: Services, args: Args, progress: Progress) -> dict[str, Any]:
    """Takes back what messages taught, or everything. Args: paths, mailboxes, account, all.

    Gives {account, messages, taken_back}.
    """
    owner, name = await _owner(services, args)
    if args.get("all"):
        totals = await services.learned.totals(owner)
        await services.learned.forget(owner)
        count = totals.own.spam + totals.own.ham
        return {"account": name, "messages": count, "taken_back": count}
    done = _Done()
    async for batch in _studied(services, args, progress, done):
        lessons = [Lesson(one.key, Known(), Label.NONE) for one in batch]
        done.taken_back += len(await services.learned.teach(owner, lessons))
    return {"account": name, "messages": done.messages, "taken_back": done.taken_back}


async def spam_eval(services: Services, args: Args, progress: Progress) -> list[dict[str, Any]]:
    """False positives and negatives on stored mail, by account and month. Args: account, since
    (Unix seconds), weights (by symbol), tag_at, learned, each optional.
    """
    settings = services.settings.spam
    trial = Trial(
        {**settings.weights, **(args.get("weights") or {})},
        settings.tag_at if args.get("tag_at") is None else float(args["tag_at"]),
        bool(args.get("learned", True)),
        settings.weights,
    )
    evaluation = Evaluation(
        services.store, services.learned, services.offload, services.settings.hostname, trial
    )
    accounts = await _accounts(services, args)
    total = sum([await evaluation.count(number) for number, _ in accounts])
    rows: list[dict[str, Any]] = []
    every = Grades()
    seen = 0
    for number, address in accounts:
        own = Grades()
        async for case in evaluation.cases(number, float(args.get("since") or 0)):
            seen += 1
            progress(seen, total, address)
            if case is not None:
                own.add(case)
                every.add(case)
        rows += _rows(address, own.by_period())
    return [*_rows(ALL, every.by_period()), *rows] if len(accounts) != 1 else rows


async def spam_rescan(services: Services, args: Args, progress: Progress) -> list[dict[str, Any]]:
    """Looks at recent mail again. Args: account, or none for all; days, else spam.rescan_reach.

    Gives [{account, messages, junk, tagged}].
    """
    days = float(args["days"]) if args.get("days") else None
    if days is not None and not 0 < days <= MOST_DAYS:
        raise OperationError(f"days: above 0, at most {MOST_DAYS:g}")
    settings = services.settings
    await services.learned.ready()
    rescanner = Rescanner(
        lambda: settings,
        services.store,
        services.learned if settings.spam.learn else None,
        services.auto_tags,
        services.directory.contacts,
        services.offload,
        services.clock,
    )
    rows = []
    accounts = await _accounts(services, args)
    for place, (number, address) in enumerate(accounts, 1):
        done = await rescanner.account(number, days and days * DAY)
        progress(place, len(accounts), address)
        told = {"messages": done.looked, "junk": done.junked, "tagged": done.tagged}
        rows.append({"account": address, **told})
    return rows


class _Done:
    """Counts of a run."""

    def __init__(self) -> None:
        self.messages = self.learned = self.taken_back = self.unreadable = 0

    def shown(self) -> dict[str, int]:
        return {
            "messages": self.messages,
            "learned": self.learned,
            "taken_back": self.taken_back,
            "unreadable": self.unreadable,
        }


async def _owner(services: Services, args: Args) -> tuple[AccountId, str]:
    if not args.get("account"):
        return SITE, ""
    account = await services.directory.account(str(args["account"]))
    if account is None:
        raise OperationError(f"no such account: {args['account']}")
    return account.id, account.address


async def _accounts(services: Services, args: Args) -> list[tuple[AccountId, str]]:
    if args.get("account"):
        return [await _owner(services, args)]
    return [(one.id, one.address) for one in await services.directory.accounts()]


async def _studied(
    services: Services, args: Args, progress: Progress, done: _Done
) -> AsyncIterator[list[Study]]:
    """What the messages named are, in pieces."""
    look = partial(study, hostname=services.settings.hostname)
    batch: list[Study] = []
    async for data, position, total, what in _read(services, args, done):
        batch.append(await services.offload.process(look, data))
        done.messages += 1
        progress(position, total, what)
        if len(batch) == PIECE:
            yield batch
            batch = []
    if batch:
        yield batch


async def _read(
    services: Services, args: Args, done: _Done
) -> AsyncIterator[tuple[bytes, int, int, str]]:
    """Messages, each with its place among those of one source."""
    paths, boxes = list(args.get("paths") or ()), list(args.get("mailboxes") or ())
    if not paths and not boxes:
        raise OperationError("name message files with PATH, or stored mail with --mailbox")
    for path in map(str, paths):
        found = await _messages(services, Path(path))
        for position, one in enumerate(found, 1):
            try:
                data = await services.offload.run(Pool.DISK, _bytes_of, one)
            except OSError:
                done.unreadable += 1
                continue
            yield data, position, len(found), path
    for box in map(str, boxes):
        async for data, position, total in _stored(services, box, done):
            yield data, position, total, box


def _bytes_of(message: SourceMessage) -> bytes:
    return message.read()[:READ]


async def _messages(services: Services, path: Path) -> list[SourceMessage]:
    try:
        return await services.offload.disk(read_messages, path)
    except ImportRefused as error:
        raise OperationError(str(error)) from error
    except OSError as error:
        raise OperationError(f"{error.filename or path}: {error.strerror}") from error


async def _stored(
    services: Services, text: str, done: _Done
) -> AsyncIterator[tuple[bytes, int, int]]:
    address, _, name = text.partition("/")
    owner, _ = await _owner(services, {"account": address})
    store = services.store
    try:
        box = await store.mailbox(owner, name or "INBOX")
    except NoSuchMailbox as error:
        raise OperationError(f"{address} has no mailbox {name}") from error
    view = await store.view(owner, box.id)
    uids = list(view.uids)
    view.release()
    for start in range(0, len(uids), PIECE):
        piece = uids[start : start + PIECE]
        for uid, blob in (await store.contents(owner, box.id, piece)).items():
            try:
                data = await store.read_body(owner, blob, box.id, uid, 0, READ)
            except MessageMissing:
                done.unreadable += 1
                continue
            yield data, start + piece.index(uid) + 1, len(uids)


def _rows(account: str, grades: Mapping[str, Grade]) -> list[dict[str, Any]]:
    return [
        {
            "account": account,
            "period": period or ALL,
            "corrected": grade.corrected,
            "now": _tally(grade.now),
            "then": _tally(grade.then),
        }
        for period, grade in grades.items()
    ]


def _tally(tally: Tally) -> dict[str, Any]:
    return {
        "spam": tally.spam,
        "ham": tally.ham,
        "false_negatives": _rate(tally.false_negatives),
        "false_positives": _rate(tally.false_positives),
    }


def _rate(rate: Rate) -> dict[str, Any]:
    low, high = rate.range
    share = None if rate.share is None else round(rate.share, 5)
    return {"count": rate.hits, "share": share, "low": round(low, 5), "high": round(high, 5)}
