"""What a command streams: messages of APPEND and REPLACE on their way into an Upload.

A message that can't be taken is refused at the framer, which throws the rest of its octets away.
"""

from imap.context import Context
from imap.grammar.append import catenated, target_of
from imap.grammar.frame import LiteralBegin, ParseError
from imap.grammar.framer import Framer
from imap.mailboxes import resolve
from imap.replies import CommandError
from imap.session import Session
from imap.upload import Upload
from storage.errors import StoreError
from storage.values import AccountId


class Intake:
    """One connection's; `upload` is that of the command under way."""

    __slots__ = ("_context", "_framer", "_session", "upload")

    def __init__(self, context: Context, session: Session, framer: Framer) -> None:
        self._context, self._session, self._framer = context, session, framer
        self.upload: Upload | None = None

    async def begin(self, event: LiteralBegin) -> None:
        """A literal is about to come."""
        if self.upload is None:
            self.upload = Upload(self._context, await self._counting(event))
        refusal = await self.upload.begin(
            event.size, raw=catenated(event), room=event.head.name != "REPLACE"
        )
        if refusal is not None:
            self._framer.refuse(*refusal)

    async def _counting(self, event: LiteralBegin) -> AccountId:
        """The account that an upload counts for: that of the mailbox it is for, if it may go there
        at all.
        """
        try:
            place = await resolve(self._session, target_of(event, self._session.utf8))
            place.target("i")
        except (ParseError, CommandError, StoreError):  # met again when the command is whole
            return self._session.account
        return place.account

    async def add(self, data: bytes) -> None:
        """Octets of it."""
        if self.upload is None:
            return
        try:
            await self.upload.add(data)
        except OSError as error:
            self._session.log.error("message not spooled", error=str(error))
            self._framer.refuse("No space for the message, try again later", "UNAVAILABLE")
            self.drop()

    def drop(self) -> None:
        """Forgets what the store did not take."""
        if self.upload is not None:
            self.upload.discard()
            self.upload = None
