"""The table of commands: who runs each, in which states it is legal, whether EXPUNGE may follow.

Commands run in order, one at a time (RFC 9051 §5.5, RFC 3501 §5.5). Every error becomes a reply
here.
"""

import dataclasses
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from imap import gmail, granted
from imap.commands.acl import deleteacl, getacl, listrights, myrights, setacl
from imap.commands.append import append, replace
from imap.commands.compress import compress
from imap.commands.copy import copy, move
from imap.commands.esearch import esearch
from imap.commands.expunge import expunge
from imap.commands.fetch import fetch
from imap.commands.idle import idle
from imap.commands.labels import store_labels
from imap.commands.listing import list_, lsub, namespace, xlist
from imap.commands.login import authenticate, login
from imap.commands.mailbox import create, delete, rename, subscribe, unsubscribe
from imap.commands.metadata import getmetadata, setmetadata
from imap.commands.notify import notify
from imap.commands.quota import getquota, getquotaroot, setquota
from imap.commands.search import search
from imap.commands.select import check, close, select, unselect
from imap.commands.session import (
    capability,
    enable,
    get_jmap_access,
    id_,
    logout,
    noop,
    starttls,
    unauthenticate,
)
from imap.commands.sort import cancel_update, sort, thread
from imap.commands.status import status
from imap.commands.store import store
from imap.filters import filtered
from imap.grammar import (
    append_commands,
    command,
    mailbox_commands,
    message_commands,
    session_commands,
)
from imap.grammar.acl import DeleteAcl, GetAcl, ListRights, MyRights, SetAcl
from imap.grammar.gmail import StoreLabels
from imap.grammar.metadata import GetMetadata, SetMetadata
from imap.grammar.quota import GetQuota, GetQuotaRoot, SetQuota
from imap.grammar.responses import highest_code
from imap.grammar.search_commands import CancelUpdate, Esearch, Sort, Thread
from imap.grammar.search_key import SearchKey, names_numbers
from imap.replies import Bad, Closing, CommandError, No, Reply, Status, reply_of
from imap.session import Session, State
from net.threads import Busy
from storage.errors import StoreError

Handler: TypeAlias = Callable[[Session, Any], Awaitable[Reply | None]]


@dataclass(frozen=True, slots=True)
class Row:
    """`by_number`: sequence numbers must stay as they are until the command is over, unless it came
    with UID (RFC 9051 §7.5.1). `long`: the client may hear how far it has come (RFC 9585).
    """

    handler: Handler
    states: State
    by_number: bool = False
    long: bool = False


TABLE: dict[type, Row] = {
    session_commands.Capability: Row(capability, State.ANY),
    session_commands.Noop: Row(noop, State.ANY),
    session_commands.Logout: Row(logout, State.ANY),
    session_commands.Id: Row(id_, State.ANY),
    session_commands.StartTls: Row(starttls, State.ANONYMOUS),
    session_commands.Authenticate: Row(authenticate, State.ANONYMOUS),
    session_commands.Login: Row(login, State.ANONYMOUS),
    session_commands.Compress: Row(compress, State.LOGGED_IN),
    session_commands.Unauthenticate: Row(unauthenticate, State.LOGGED_IN),
    session_commands.GetJmapAccess: Row(get_jmap_access, State.LOGGED_IN),
    session_commands.Enable: Row(enable, State.LOGGED_IN),
    mailbox_commands.Select: Row(select, State.LOGGED_IN),
    mailbox_commands.Create: Row(create, State.LOGGED_IN),
    mailbox_commands.Delete: Row(delete, State.LOGGED_IN, long=True),
    mailbox_commands.Rename: Row(rename, State.LOGGED_IN, long=True),
    mailbox_commands.Subscribe: Row(subscribe, State.LOGGED_IN),
    mailbox_commands.Unsubscribe: Row(unsubscribe, State.LOGGED_IN),
    mailbox_commands.List: Row(list_, State.LOGGED_IN),
    mailbox_commands.Lsub: Row(lsub, State.LOGGED_IN),
    mailbox_commands.Xlist: Row(xlist, State.LOGGED_IN),
    mailbox_commands.Namespace: Row(namespace, State.LOGGED_IN),
    mailbox_commands.Status: Row(status, State.LOGGED_IN),
    append_commands.Append: Row(append, State.LOGGED_IN, long=True),
    message_commands.Notify: Row(notify, State.LOGGED_IN),
    message_commands.Idle: Row(idle, State.LOGGED_IN),
    message_commands.Check: Row(check, State.SELECTED),
    message_commands.Close: Row(close, State.SELECTED, long=True),
    message_commands.Unselect: Row(unselect, State.SELECTED),
    message_commands.Expunge: Row(expunge, State.SELECTED, long=True),
    message_commands.Search: Row(search, State.SELECTED, by_number=True, long=True),
    Sort: Row(sort, State.SELECTED, by_number=True, long=True),
    Thread: Row(thread, State.SELECTED, by_number=True, long=True),
    Esearch: Row(esearch, State.LOGGED_IN, long=True),
    CancelUpdate: Row(cancel_update, State.SELECTED),
    message_commands.Fetch: Row(fetch, State.SELECTED, by_number=True, long=True),
    append_commands.Replace: Row(replace, State.SELECTED, long=True),
    message_commands.Store: Row(store, State.SELECTED, by_number=True, long=True),
    message_commands.Copy: Row(copy, State.SELECTED, long=True),
    message_commands.Move: Row(move, State.SELECTED, long=True),
    GetMetadata: Row(getmetadata, State.LOGGED_IN),
    SetMetadata: Row(setmetadata, State.LOGGED_IN),
    StoreLabels: Row(store_labels, State.SELECTED, by_number=True, long=True),
    GetQuota: Row(getquota, State.LOGGED_IN),
    GetQuotaRoot: Row(getquotaroot, State.LOGGED_IN),
    SetQuota: Row(setquota, State.LOGGED_IN),
    SetAcl: Row(setacl, State.LOGGED_IN),
    DeleteAcl: Row(deleteacl, State.LOGGED_IN),
    GetAcl: Row(getacl, State.LOGGED_IN),
    ListRights: Row(listrights, State.LOGGED_IN),
    MyRights: Row(myrights, State.LOGGED_IN),
}


# A set each: `in` of a Flag is a slow call, and every command asks.
_LEGAL = {
    state: frozenset(kind for kind, row in TABLE.items() if state in row.states)
    for state in (State.ANONYMOUS, State.AUTHENTICATED, State.SELECTED)
}


async def run(session: Session, command: command.Command) -> None:
    """Runs a command and answers it, unless its handler did (LOGOUT, STARTTLS: None).

    Raises Closing when the connection is to end.
    """
    row = TABLE[type(command)]
    reply: Reply | None
    if session.choices.hides(type(command)):
        reply = Reply("unknown command", status=Status.BAD)
    elif type(command) not in _LEGAL[session.state]:
        reply = Reply(_refusal(session.state, row.states), status=Status.BAD)
    else:
        session.command = command
        reply = await _at_work(session, row, command)
        session.updates(expunge=not row.by_number or bool(getattr(command, "uid", False)))
        await session.refresh()
        session.command = None
        if reply is not None and reply.highest and session.selected is not None:
            reply = dataclasses.replace(reply, code=highest_code(session.selected.told()))
    if reply is not None:
        session.send(reply.tagged(command.tag))


async def _handled(session: Session, handler: Handler, command: command.Command) -> Reply | None:
    command = await filtered(session, command)
    gmail.check(session, command)
    granted.check(session, command)
    if session.mode.uidonly and _by_number(command):
        raise Bad("UIDONLY is enabled: use UIDs", b"UIDREQUIRED")
    return await handler(session, command)


async def _at_work(session: Session, row: Row, command: command.Command) -> Reply | None:
    work = _handled(session, row.handler, command)
    if not row.long:
        return await _answer(session, work)
    progress = session.context.progress
    progress.begin(session, command.tag)
    try:
        return await _answer(session, work)
    finally:
        progress.end(session)


def _by_number(command: command.Command) -> bool:
    """Whether it names messages by sequence number, or asks for numbers (RFC 9586 §3.2)."""
    if isinstance(command, message_commands.Expunge):
        return False
    key: SearchKey | None = getattr(command, "key", None)
    return getattr(command, "uid", True) is False or (key is not None and names_numbers(key))


async def _answer(session: Session, work: Awaitable[Reply | None]) -> Reply | None:
    try:
        return await work
    except CommandError as error:
        return error.reply
    except (StoreError, Busy) as error:
        if error.__cause__ is not None:
            session.log.warning("store refused", error=repr(error), cause=repr(error.__cause__))
        return reply_of(error)
    except (Closing, ConnectionError):
        raise
    except Exception:
        session.log.exception("command failed")
        return No("Internal error", b"UNAVAILABLE").reply


def _refusal(state: State, legal: State) -> str:
    if legal is State.ANONYMOUS:
        return "Already logged in"
    return "Log in first" if state is State.ANONYMOUS else "No mailbox is selected"
