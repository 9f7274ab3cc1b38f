"""STORE with UNCHANGEDSINCE (RFC 9051 §6.4.6, RFC 7162 §3.1.3), answered after the commit.

What is unchanged and what fails UNCHANGEDSINCE is decided in the store's transaction. The session's
own change is told here, once, with what others changed meanwhile; SILENT leaves out the flags and
with CONDSTORE still gives the MODSEQ.
"""

from collections.abc import Sequence

from imap import message_limit, updates
from imap.grammar.message_commands import Store, StoreMode
from imap.grammar.responses import modified_code
from imap.grammar.values import Flag
from imap.place import settable
from imap.replies import Bad, No, Reply, Status
from imap.script_events import flags_now, tell_flags
from imap.selected import Selected
from imap.session import Session
from storage.values import NO_FLAGS, FlagChange, Flags, Settable, StoreOutcome, System

_MODES = {
    StoreMode.REPLACE: FlagChange.SET,
    StoreMode.ADD: FlagChange.ADD,
    StoreMode.REMOVE: FlagChange.REMOVE,
}
_SYSTEM = {
    "\\Seen": System.SEEN,
    "\\Answered": System.ANSWERED,
    "\\Flagged": System.FLAGGED,
    "\\Deleted": System.DELETED,
    "\\Draft": System.DRAFT,
}
_LINES = 500
_KEYWORD_LENGTH = 100


def flags_of(flags: Sequence[Flag]) -> Flags:
    """The store's value of flags as parsed; system flags that can't be stored are BAD."""
    system, keywords = System(0), []
    for flag in flags:
        if flag in _SYSTEM:
            system |= _SYSTEM[flag]
        elif flag.startswith("\\"):
            raise Bad(f"{flag} can't be stored")
        elif len(flag) > _KEYWORD_LENGTH:
            raise No("Keyword too long", b"LIMIT")
        else:
            keywords.append(str(flag))
    return Flags(system, frozenset(keywords))


async def store(session: Session, command: Store) -> Reply:
    selected = session.mailbox
    if selected.read_only:
        raise No("The mailbox is open read-only", b"READ-ONLY")
    if command.unchanged_since is not None:
        session.use_condstore()
    may = settable(selected.rights)
    flags = _allowed(may, flags_of(command.flags), command.mode)
    named = selected.uids_of(command.sequence, command.uid)
    uids = message_limit.cut(session, named)
    if not len(uids):
        return Reply("STORE completed")
    before, how = flags_now(session, uids), _MODES[command.mode]
    outcome = await session.store.store(
        selected.account,
        selected.mailbox,
        uids,
        how,
        flags,
        unchanged_since=command.unchanged_since,
        within=may,
    )
    selected.own_change(outcome.changed)
    tell_flags(session, before, outcome.changed, how, flags)
    await _tell(session, command, uids, outcome)
    reply = _reply(selected, command, uids, outcome)
    return message_limit.told(session, reply, named, uids[0])


def _allowed(may: Settable, flags: Flags, mode: StoreMode) -> Flags:
    """Those that the user may change; NO only if there are none (RFC 4314 §4)."""
    allowed = may.among(flags)
    if mode is StoreMode.REPLACE:
        refused = not may.system and not may.keywords
    else:
        refused = flags != NO_FLAGS and allowed == NO_FLAGS
    if refused:
        raise No("You have no right to change these flags", b"NOPERM")
    return allowed


async def _tell(
    session: Session, command: Store, uids: Sequence[int], outcome: StoreOutcome
) -> None:
    """FETCH lines: with flags of all that were named, or with SILENT the new MODSEQ only."""
    selected = session.mailbox
    failed = set(outcome.modified)
    if command.silent:
        told: Sequence[int] = outcome.changed if session.condstore else ()
    else:
        told = [uid for uid in uids if uid not in failed] if failed else uids
    view, lines, fields = selected.view, list[bytes](), set[int]()
    for uid in told:
        number, index = selected.number(uid), view.index_of(uid)
        if number and index >= 0:
            lines.append(_line(session, command, number, index))
            fields.add(view.flags[index])
        if len(lines) >= _LINES:
            _send(session, lines, fields)
            lines.clear()
            await session.connection.breathe()
    _send(session, lines, fields)


def _send(session: Session, lines: list[bytes], fields: set[int]) -> None:
    selected = session.mailbox
    if selected.new_keywords(fields):
        session.send(updates.flags_lines(selected))
    if lines:
        session.send(b"".join(lines))


def _line(session: Session, command: Store, number: int, index: int) -> bytes:
    selected = session.mailbox
    if not command.silent:
        return updates.flag_line(selected, session.mode, number, index, with_uid=command.uid)
    modseq = b"MODSEQ (%d)" % selected.view.modseqs[index]
    return updates.fetch_line(selected, session.mode, number, index, modseq, with_uid=command.uid)


def _reply(selected: Selected, command: Store, uids: Sequence[int], outcome: StoreOutcome) -> Reply:
    gone = not command.uid and any(selected.view.index_of(uid) < 0 for uid in uids)
    if outcome.modified:
        failed = sorted(outcome.modified)
        if not command.uid:
            failed = [number for number in map(selected.number, failed) if number]
        status = Status.NO if gone else Status.OK
        return Reply("Conditional STORE failed", modified_code(failed), status)
    if gone:
        return Reply("Some messages were expunged", b"EXPUNGEISSUED", Status.NO)
    return Reply("STORE completed")
