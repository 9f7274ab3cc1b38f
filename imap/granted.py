"""What a login by app password or token may not do, and rights of mailboxes do not decide; how much
an agent may do. What rights are left in a mailbox stands in auth/grant.py.
"""

from typing import Final

from imap.grammar.command import Command
from imap.grammar.gmail import StoreLabels
from imap.grammar.mailbox_commands import Subscribe, Unsubscribe
from imap.grammar.metadata import SetMetadata
from imap.grammar.quota import SetQuota
from imap.mailboxes import spelled
from imap.replies import No
from imap.session import Session
from storage.credential_values import Protocol

_WRITING: Final = (Subscribe, Unsubscribe, SetMetadata, SetQuota, StoreLabels)
_MAX_DETAIL: Final = 100


def check(session: Session, command: Command) -> None:
    """Raises No."""
    grant, login = session.grant, session.login
    if login is None or grant.credential is None:
        return
    agents = session.context.authenticator.agents
    if not agents.take(
        grant,
        login.account,
        login.address,
        what=_words(session, command),
        address=session.connection.peer,
        protocol=Protocol.IMAP,
    ):
        raise No(f"You have {grant.rate} commands a minute", b"LIMIT")
    if isinstance(command, _WRITING) and not grant.writes:
        raise No("This login does not allow it", b"NOPERM")
    if isinstance(command, Subscribe | Unsubscribe) and not grant.sees(spelled(command.mailbox)):
        raise No("This login does not allow it", b"NOPERM")
    if isinstance(command, StoreLabels) and grant.folders:
        raise No("This login does not allow it", b"NOPERM")


def _words(session: Session, command: Command) -> str:
    """The command, and the mailbox that it is about."""
    selected = session.selected
    mailbox = getattr(command, "mailbox", "" if selected is None else selected.name)
    return f"{type(command).__name__.upper()} {mailbox}"[:_MAX_DETAIL]
