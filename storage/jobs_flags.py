"""STORE: flags of messages, decided inside the transaction (UNCHANGEDSINCE, silent no-ops)."""

from array import array

from storage import rows
from storage.job import PIECE, Stage, find_account, find_box
from storage.jobs_run import PiecesJob
from storage.rows import Found
from storage.schema import KEYWORD_SHIFT, ChangeKind
from storage.state import Account, Box
from storage.transaction import DeltaKind, Tx
from storage.values import (
    EVERY_FLAG,
    AccountId,
    FlagChange,
    Flags,
    MailboxId,
    Settable,
    StoreOutcome,
    System,
)

Value = tuple[int, int]
"""System flags and keyword set number."""


class FlagsJob(PiecesJob[StoreOutcome]):
    """`uids` ascend, without doubles; it goes in pieces, each with a modseq of its own. SET leaves
    flags that are not `within` as they are.
    """

    def __init__(
        self,
        account: AccountId,
        mailbox: MailboxId,
        uids: "array[int]",
        change: FlagChange,
        flags: Flags,
        unchanged_since: int | None,
        within: Settable = EVERY_FLAG,
    ) -> None:
        super().__init__(account)
        self._mailbox, self._uids = mailbox, uids
        self._change, self._flags, self._since = change, flags, unchanged_since
        self._within = within
        self._outcomes: list[StoreOutcome] = []
        self.rows = len(uids)

    def prepare_piece(self, stage: Stage) -> None:
        find_box(stage.account(self.account), self._mailbox)

    def apply_piece(self, tx: Tx) -> bool:
        owner = find_account(tx, self.account)
        box = find_box(owner, self._mailbox)
        tx.flush()
        start = self.piece * PIECE
        found = rows.find(tx.conn, owner.id, box.id, self._uids[start : start + PIECE])
        since = self._since
        modified = [] if since is None else [row[0] for row in found if row[3] > since]
        if since is not None:
            found = [row for row in found if row[3] <= since]
        changed = self._set(tx, owner, box, found)
        outcome = StoreOutcome(box.highestmodseq, changed, modified)
        self._outcomes = [*self._outcomes[: self.piece], outcome]
        self.result = _joined(self._outcomes)
        return start + PIECE >= len(self._uids)

    def _set(self, tx: Tx, owner: Account, box: Box, found: list[Found]) -> "array[int]":
        """Writes what differs; the UIDs changed, ascending."""
        by_value: dict[Value, list[int]] = {}
        for uid, flags, keywords, *_ in found:
            by_value.setdefault((flags, keywords), []).append(uid)
        targets: dict[Value, list[int]] = {}
        for old, uids in by_value.items():
            value = self._target(tx, owner, old)
            if value != old:
                targets.setdefault(value, []).extend(uids)
                _recount(box, old[0], value[0], len(uids))
        if not targets:
            return array("I")
        modseq = box.highestmodseq = tx.touch(owner)
        field_of: dict[int, int] = {}
        for (flags, keywords), uids in targets.items():
            uids.sort()
            rows.set_flags(tx.conn, owner.id, box.id, uids, (flags, keywords, modseq))
            field_of.update(dict.fromkeys(uids, flags | keywords << KEYWORD_SHIFT))
        delta = tx.delta(DeltaKind.FLAGGED, owner, box, modseq)
        delta.uids.extend(sorted(field_of))
        delta.fields.extend([field_of[uid] for uid in delta.uids])
        tx.log(owner, modseq, ChangeKind.FLAGS, box.id, delta.uids)
        return delta.uids

    def _target(self, tx: Tx, owner: Account, old: Value) -> Value:
        system, words = int(self._flags.system), owner.keywords.spell(self._flags.keywords)
        flags, have = old[0], owner.keywords.sets[old[1]]
        if self._change is FlagChange.SET:
            mask = int(self._within.system)
            number = tx.keyword_number(owner, words) if self._within.keywords else old[1]
            return flags & ~mask | system & mask, number
        if self._change is FlagChange.ADD:
            return flags | system, tx.keyword_number(owner, have | words) if words else old[1]
        return flags & ~system, tx.keyword_number(owner, have - words) if words else old[1]


def _recount(box: Box, old: int, value: int, count: int) -> None:
    box.unseen += count * (bool(old & System.SEEN) - bool(value & System.SEEN))
    box.deleted += count * (bool(value & System.DELETED) - bool(old & System.DELETED))


def _joined(outcomes: list[StoreOutcome]) -> StoreOutcome:
    if len(outcomes) == 1:
        return outcomes[0]
    return StoreOutcome(
        outcomes[-1].modseq,
        array("I", [uid for outcome in outcomes for uid in outcome.changed]),
        [uid for outcome in outcomes for uid in outcome.modified],
    )
