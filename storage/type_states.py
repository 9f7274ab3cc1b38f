"""What clients hear of: which types of JMAP have changed in an account since a point, by the
journals of mail (storage/changes.py) and of config.db (storage/config_journal.py).

`MAIL` and `CONFIG` say which rows of the journals change which types. Invariant: the state told is
what the type's /get gives as its state, or older; so no change goes untold.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import bindparam, select

from storage.config_database import ConfigDatabase
from storage.config_journal import Kind, floor_of, modseq_of
from storage.config_schema import account as directory_account
from storage.config_schema import journal as config_journal
from storage.database import Database
from storage.email_changes import bounds, last_modseq
from storage.quota_state import quota_state, usage_of
from storage.schema import ChangeKind, Origin, journal
from storage.schema import account as accounts
from storage.statements import Query
from storage.submissions import Submissions
from storage.values import AccountId, MailboxId

SUBMISSION: Final = "EmailSubmission"
DELIVERY: Final = "EmailDelivery"
"""Changes with what is delivered, not with what users do to their mail (RFC 8621 §1.5)."""
_MESSAGES: Final = ("Email", "Mailbox", "Thread")
_COUNTED: Final = (*_MESSAGES, "Quota")
_BOXES: Final = ("Mailbox",)
MAIL: Final[Mapping[ChangeKind, Sequence[str]]] = {
    ChangeKind.APPEND: _COUNTED,
    ChangeKind.EXPUNGE: _COUNTED,
    ChangeKind.FLAGS: _MESSAGES,
    ChangeKind.CREATE: _BOXES,
    ChangeKind.RENAME: _BOXES,
    ChangeKind.DELETE: _BOXES,
    ChangeKind.SUBSCRIBE: _BOXES,
    ChangeKind.SPECIAL_USE: _BOXES,
}
"""Types whose state is the account's modseq of mail; but that of Quota is made of what it says."""
CONFIG: Final[Mapping[Kind, Sequence[str]]] = {
    Kind.SCRIPT: ("SieveScript",),
    Kind.BOOK: ("AddressBook",),
    Kind.CARD: ("ContactCard",),
    Kind.SHARE_NOTICE: ("ShareNotification",),
    Kind.IDENTITY: ("Identity",),
    Kind.QUOTA: ("Quota",),
    Kind.VACATION: ("VacationResponse",),
}
"""Types whose state is the last number of a row of theirs in the journal of config.db."""
MAIL_TYPES: Final = frozenset((*_COUNTED, DELIVERY))
MAX_ROWS: Final = 2_000
_PIECE: Final = 500
_j, _c = journal.c, config_journal.c
_ROWS = Query(
    lambda _: (
        select(_j.modseq, _j.kind, _j.mailbox, _j.name, _j.old)
        .where(_j.account == bindparam("account"), _j.modseq > bindparam("since"))
        .order_by(_j.modseq.desc())
        .limit(MAX_ROWS)
    )
)
_NUMBERS = Query(
    lambda among: select(accounts.c.id, accounts.c.modseq).where(among(accounts.c.id, "ids"))
)


class StatePoint(NamedTuple):
    """After all changes up to and with these numbers: of mail, of config.db, and of what was sent
    (storage/submissions.py).
    """

    mail: int
    config: int
    sent: int = 0


@dataclass(frozen=True, slots=True)
class MailRow:
    """Where mail was changed: in a mailbox, by its number and the names that it has or had."""

    mailbox: MailboxId
    names: tuple[str, ...]
    types: frozenset[str]


@dataclass(frozen=True, slots=True)
class TypeChanges:
    """States by type, up to a point; `rows` say where mail was changed, None: anywhere."""

    until: StatePoint
    states: Mapping[str, str]
    rows: Sequence[MailRow] | None = ()

    def within(self, sees: Callable[[MailRow], bool]) -> dict[str, str]:
        """The states for who sees some mailboxes alone."""
        if self.rows is None:
            return dict(self.states)
        seen: set[str] = set()
        for row in self.rows:
            if not row.types <= seen and sees(row):
                seen |= row.types
        return {
            name: state
            for name, state in self.states.items()
            if name not in MAIL_TYPES or name in seen
        }


class TypeStates:
    """Reads both journals."""

    def __init__(self, mail: Database, config: ConfigDatabase, submissions: Submissions) -> None:
        self._mail, self._config, self._submissions = mail, config, submissions

    async def now(self, account: AccountId) -> StatePoint:
        """Raises NoSuchAccount."""
        mail = await last_modseq(self._mail, account)
        config = await self._config.finish(self._config_modseq(account))
        return StatePoint(mail, config, await self._submissions.last(account))

    async def points(self, ids: Collection[AccountId]) -> dict[AccountId, StatePoint]:
        """Where accounts stand, but for what was sent; those that there are."""
        found: dict[AccountId, StatePoint] = {}
        wanted = sorted(ids)
        for start in range(0, len(wanted), _PIECE):
            some = wanted[start : start + _PIECE]
            mail: dict[int, int] = dict(await self._mail.fetch(_NUMBERS, ids=self._mail.ids(some)))
            config = await self._config.finish(self._config_modseqs(some))
            for one in mail.keys() & config.keys():
                found[AccountId(one)] = StatePoint(mail[one], config[one])
        return found

    async def since(self, account: AccountId, point: StatePoint) -> TypeChanges:
        """What has changed; all types where a journal does not reach back so far. Raises
        NoSuchAccount.
        """
        mail = await self._of_mail(account, point.mail)
        config = await self._config.finish(self._of_config(account, point.config))
        states = {**mail.states, **config.states}
        if "Quota" in states:
            usage = await usage_of(self._mail, account)
            if usage.limit_bytes or usage.limit_messages or "Quota" in config.states:
                states["Quota"] = quota_state(usage)
            else:
                del states["Quota"]
        sent = await self._submissions.last(account)
        if sent > point.sent:
            states[SUBMISSION] = str(self._submissions.state_at(sent))
        until = StatePoint(mail.until.mail, config.until.config, max(sent, point.sent))
        return TypeChanges(until, states, mail.rows)

    async def _config_modseq(self, account: AccountId) -> int:
        async with self._config.reading() as at:
            return await modseq_of(at, account)

    async def _config_modseqs(self, some: Sequence[AccountId]) -> dict[int, int]:
        own = directory_account.c
        async with self._config.reading() as at:
            rows = await at.execute(select(own.id, own.modseq).where(own.id.in_(some)))
            return {row[0]: row[1] for row in rows}

    async def _of_mail(self, account: AccountId, since: int) -> TypeChanges:
        # the rows first: what comes meanwhile is told the next time
        rows = await self._mail.fetch(_ROWS, account=account, since=since)
        now, floor = await bounds(self._mail, account)
        if not floor <= since <= now or len(rows) == MAX_ROWS:
            return TypeChanges(StatePoint(now, 0), dict.fromkeys(MAIL_TYPES, str(now)), None)
        if not rows:
            return TypeChanges(StatePoint(since, 0), {})
        last: int = rows[0][0]
        states: dict[str, str] = {}
        places: dict[tuple[int, str, str], set[str]] = {}
        for modseq, kind, mailbox, name, old in rows:
            change = ChangeKind(kind)
            delivered = change is ChangeKind.APPEND and name == Origin.DELIVERY
            types = (*MAIL[change], DELIVERY) if delivered else MAIL[change]
            if delivered:
                states.setdefault(DELIVERY, str(modseq))
            states |= dict.fromkeys(MAIL[change], str(last))
            named = (name, old) if MAIL[change] is _BOXES else ("", "")
            places.setdefault((mailbox, *named), set()).update(types)
        return TypeChanges(
            StatePoint(last, 0),
            states,
            [
                MailRow(MailboxId(box), tuple(one for one in names if one), frozenset(types))
                for (box, *names), types in places.items()
            ],
        )

    async def _of_config(self, account: AccountId, since: int) -> TypeChanges:
        query = select(_c.modseq, _c.kind).where(_c.account == account, _c.modseq > since)
        async with self._config.reading() as at:
            now = await modseq_of(at, account)
            rows = (await at.execute(query.order_by(_c.modseq))).all()
        if not floor_of(now) <= since <= now:
            every = {name for types in CONFIG.values() for name in types}
            return TypeChanges(StatePoint(0, now), dict.fromkeys(every, str(now)))
        states: dict[str, str] = {}
        for modseq, kind in rows:
            states |= dict.fromkeys(CONFIG.get(Kind(kind), ()), str(modseq))
        return TypeChanges(StatePoint(0, rows[-1][0] if rows else since), states)
