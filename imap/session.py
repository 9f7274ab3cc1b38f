"""One session: who it is, its state, its selected mailbox, and what it is told of changes.

What is on the wire and when to read belongs to connection.py, which command is legal when to
dispatch.py, what a command does to commands/.
"""

from collections.abc import Callable, Iterable
from enum import Flag, auto
from typing import TYPE_CHECKING

from auth.login_values import Login
from auth.rights import effective
from config.logging import Logger
from imap import updates
from imap.base_session import BaseSession
from imap.capabilities import Stage, announce, sieve_url, switched_off
from imap.context import Context
from imap.grammar.command import Command
from imap.grammar.responses import highest_code
from imap.masks import NO_CHOICES, Choices
from imap.mode import PLAIN, Mode
from imap.selected import Selected
from storage.acl import AclChange
from storage.credential_values import Protocol
from storage.errors import StoreError
from storage.store import Store
from storage.values import Event, FoldersChanged, MailboxChanged, UidMap

if TYPE_CHECKING:
    from imap.connection import Connection
    from imap.metadata_watch import MetadataWatch
    from imap.notifier import Notifier


class State(Flag):
    """RFC 9051 §3; the sets are those in which a command may be legal."""

    ANONYMOUS = auto()
    AUTHENTICATED = auto()
    SELECTED = auto()
    LOGGED_IN = AUTHENTICATED | SELECTED
    ANY = ANONYMOUS | AUTHENTICATED | SELECTED


class Session(BaseSession[Context, "Connection"]):
    """What the server knows of one client."""

    __slots__ = (
        "_unsubscribe",
        "_watching",
        "certified",
        "choices",
        "command",
        "enabled",
        "idling",
        "metadata",
        "mode",
        "name",
        "notifier",
        "selected",
    )

    protocol = Protocol.IMAP

    def __init__(self, context: Context, connection: "Connection") -> None:
        super().__init__(context, connection)
        self.name = ""
        self.selected: Selected | None = None
        self.mode: Mode = PLAIN
        self.enabled: set[str] = set()
        self.choices = NO_CHOICES
        self.certified = False
        self.idling = False
        self.metadata: MetadataWatch | None = None
        self.command: Command | None = None
        self.notifier: Notifier | None = None
        self._unsubscribe: Callable[[], None] | None = None
        self._watching: list[Callable[[], None]] = []

    @property
    def utf8(self) -> bool:
        """Whether mailbox names and strings go in UTF-8 (RFC 6855 §3, RFC 9051 §5.1)."""
        return self.mode.utf8

    @property
    def condstore(self) -> bool:
        """Whether a CONDSTORE-enabling command came (RFC 7162 §3.1)."""
        return self.mode.condstore

    @property
    def state(self) -> State:
        if self.selected is not None:
            return State.SELECTED
        return State.ANONYMOUS if self.login is None else State.AUTHENTICATED

    @property
    def store(self) -> Store:
        return self.context.store

    @property
    def mailbox(self) -> Selected:
        """The selected mailbox; asked for only in the selected state."""
        assert self.selected is not None
        return self.selected

    @property
    def log(self) -> Logger:
        return self.connection.log

    # Capabilities and login.

    def stage(self) -> Stage:
        """Where the connection stands in the table of capabilities."""
        context, settings = self.context, self.context.settings
        return Stage(
            tls=self.connection.tls,
            tls_offered=context.tls is not None,
            login_allowed=self.login_allowed,
            logged_in=self.login is not None,
            append_limit=settings.limits.message_size,
            mechanisms=() if self.login else self.mechanisms,
            masked=self.masked,
            granted=self.choices.granted,
            message_limit=settings.imap.message_limit,
            sieve=self._scripts_at(),
            jmap=bool(self.jmap_at()),
        )

    def jmap_at(self) -> str:
        """The Session of JMAP, "" where it is not served or this login is not good for it, as a
        client's certificate is not.
        """
        origin = self.context.web()
        if not origin or self.login is None or self.certified:
            return ""
        if Protocol.JMAP not in self.login.grant.protocols:
            return ""
        return f"{origin}/.well-known/jmap"

    def _scripts_at(self) -> str:
        settings = self.context.settings
        return "" if self.context.events is None else sieve_url(settings.hostname, settings.listen)

    @property
    def masked(self) -> frozenset[str]:
        """Capabilities that there are not for the session, in upper case."""
        return self.choices.masked | switched_off(self.context.settings.imap)

    @property
    def login_allowed(self) -> bool:
        """Whether a password may be sent here, or was."""
        return self.login is not None or self.takes_passwords

    def capabilities(self) -> bytes:
        """`CAPABILITY ...` as it stands in a response or a response code."""
        return b"CAPABILITY " + announce(self.stage())

    async def choose(self) -> None:
        """Takes what the account chose to have and to do without."""
        if self.login is not None:
            account = await self.context.directory.account_by_id(self.login.account)
            self.choices = Choices.of(account, self.login.grant.preset)

    def log_in(self, login: Login) -> None:
        super().log_in(login)
        self._unsubscribe = self.store.bus.subscribe(login.account, self._on_event)

    def log_out(self) -> None:
        """As after a fresh connection (RFC 8437 §2)."""
        super().log_out()
        self.choices = NO_CHOICES
        self.certified = False
        self.mode = PLAIN
        self.enabled.clear()

    def enable(self, names: Iterable[str]) -> None:
        """Switches capabilities on for the rest of the session."""
        self.enabled.update(names)
        if Mode.of(self.enabled, False).condstore:
            self.use_condstore()
        self.mode = Mode.of(self.enabled, self.mode.condstore)

    def use_condstore(self) -> None:
        """A CONDSTORE-enabling command came; with a mailbox selected the client hears where it
        stands (RFC 7162 §3.1).
        """
        if self.mode.condstore:
            return
        self.mode = self.mode._replace(condstore=True)
        if self.selected is not None:
            self.send(b"* OK [%s] Highest\r\n" % highest_code(self.selected.told()))

    # The selected mailbox.

    def select(self, selected: Selected) -> None:
        """Hears of what changes there; another user's account has to be asked for."""
        self.selected = selected
        acl = self.context.directory.acl
        self._watching.append(acl.watch(selected.account, self._on_acl))
        if selected.account != self.account:
            self._watching.append(self.store.bus.subscribe(selected.account, self._on_event))

    def unselect(self) -> bool:
        """Whether a mailbox was selected."""
        selected, self.selected = self.selected, None
        while self._watching:
            self._watching.pop()()
        if selected is not None:
            selected.close()
        return selected is not None

    def close(self) -> None:
        self.notify(None)
        self.unselect()
        if self.metadata is not None:
            self.metadata.close()
            self.metadata = None
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        super().close()

    def _on_event(self, event: Event) -> None:
        if self.notifier is not None:
            self.notifier.note(event)
        self._note(event)
        if self.due:
            self.connection.attend()

    def _note(self, event: Event) -> None:
        selected = self.selected
        if selected is None:
            return
        if isinstance(event, MailboxChanged):
            if (event.account, event.mailbox) == (selected.account, selected.mailbox):
                selected.note(event)
                if self.idling:
                    self.push()
        elif isinstance(event, FoldersChanged) and event.account == selected.account:
            self._follow(selected, event)

    def _on_acl(self, change: AclChange) -> None:
        """Other rights hold at once; without `r` the session can't go on."""
        selected = self.selected
        if selected is None or change.key != (selected.mailbox, selected.view.uidvalidity):
            return
        rights = effective(
            change.entries,
            self.account,
            selected.account,
            self.context.settings.imap.share_with_anyone,
        )
        box = selected.place.box
        use = box.special_use if box is not None and box.account == self.account else ""
        rights = self.grant.cut(rights, selected.place.shown, use)
        if "r" not in rights:
            self.connection.bye("You may not read the selected mailbox any more", linger=True)
            return
        selected.regrant(rights)
        if self.idling:
            self.push()

    def _follow(self, selected: Selected, event: FoldersChanged) -> None:
        """The selected mailbox was renamed, or is gone: then the session can't go on."""
        name = selected.place.name
        if name in event.renamed:
            selected.place = selected.place.renamed(event.renamed[name])
            if not self.grant.sees(selected.place.shown):
                self.connection.bye("You may not read the selected mailbox any more", linger=True)
        elif name in event.deleted and name not in event.created:
            self.connection.bye("The selected mailbox was deleted")

    # NOTIFY.

    def notify(self, notifier: "Notifier | None") -> None:
        """What it says holds from here on; None is the state before any NOTIFY."""
        if self.notifier is not None and self.notifier is not notifier:
            self.notifier.close()
        self.notifier = notifier

    def made(self, done: UidMap) -> None:
        """The session made messages itself: NOTIFY does not tell of them."""
        if self.notifier is not None:
            self.notifier.made(done)

    @property
    def due(self) -> bool:
        """Whether something is to be told by NOTIFY, or of live results during IDLE."""
        if self.idling and self.selected is not None and self.selected.touched:
            return True
        return self.notifier is not None and self.notifier.due

    async def tell(self) -> None:
        """Tells it."""
        await self.refresh()
        if self.notifier is not None:
            try:
                await self.notifier.tell()
            except StoreError as error:
                self.log.warning("notifications left out", error=repr(error))

    async def refresh(self) -> None:
        """Brings live results of the selected mailbox up to date (RFC 5267 §4.3)."""
        if self.selected is not None and self.selected.refresh is not None:
            await self.selected.refresh()

    def progress(self, done: int, total: int) -> None:
        """How far the command has come, for who waits long for it (RFC 9585)."""
        self.context.progress.note(self, done, total)

    # Sending.

    def send(self, data: bytes) -> None:
        self.connection.send(data)

    def updates(self, *, expunge: bool) -> None:
        """Sends what is due of the selected mailbox and of metadata."""
        if self.metadata is not None:
            self.connection.send(self.metadata.take())
        if self.selected is not None and self.notifier is not None:
            allowed = self.notifier.allows(self.selected, expunge)
            if allowed is None:
                return
            expunge = allowed
        if self.selected is not None:
            lines = updates.pending(self.selected, self.mode, expunge=expunge)
            if lines:
                self.connection.send(lines)
            self.selected.told()

    def push(self) -> None:
        """As updates, at once and while no command runs; left for later when the client does not
        read.
        """
        if not self.connection.blocked:
            self.updates(expunge=True)
            self.connection.flush()
