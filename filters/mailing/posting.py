"""Letters made into messages and sent: composed, attachments streamed in, queued and saved in Sent
by one transaction.
"""

import re
import secrets
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import orjson

from auth.login_values import Login
from config.clock import Clock
from config.logging import Logger
from config.settings import Settings
from filters.context import Message
from filters.delivery import SentCopy
from filters.drive.service import Asker, DriveService
from filters.mailing.email_service import Letter, OfDrive, Posted, Uploaded
from filters.mailing.loading import Loader, Taking
from filters.mailing.submitter import Submitter
from filters.mailing.values import NotSent, Origin, To, Why, Wish
from filters.sent import NAME, USE, is_sent
from message.address import AddressError, parse_mailbox
from message.compose import Attachment, Composed, Stream, compose, simple_tree
from message.compose_fields import BadValue, Group, Person, addresses, date, message_ids, text
from message.transfer import Base64Lines
from net.threads import Busy, Offload
from storage.blob_values import NoSuchBlob
from storage.blobs import Blobs
from storage.credential_values import Protocol
from storage.directory import Directory
from storage.directory_names import address_key
from storage.drive_values import ItemId
from storage.errors import NoSuchAccount, StoreError
from storage.object_ids import email_number
from storage.preferences import UNDO_SECONDS
from storage.store import Store
from storage.submission_values import AlreadySubmitted, Submission
from storage.values import BlobId, Sending

IN_MEMORY: Final = 1024 * 1024
MAX_UNDO: Final = 30
_QUICK: Final = 64 * 1024
_WORD: Final = r"[a-z0-9!#$&^_.+-]{1,100}"
_TYPE: Final = re.compile(f"{_WORD}/{_WORD}")


@dataclass(frozen=True, slots=True)
class Pieces:
    """Octets of an attachment, from the beginning each time."""

    open: Callable[[], AsyncGenerator[bytes, None]]


class Posting:
    """One for all."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        store: Store,
        directory: Directory,
        blobs: Blobs,
        drive: DriveService,
        submitter: Submitter,
        loader: Loader,
        clock: Clock,
        offload: Offload,
        log: Logger,
    ) -> None:
        self._settings, self._store, self._directory = settings, store, directory
        self._blobs, self._drive, self._submitter = blobs, drive, submitter
        self._loader, self._clock, self._offload, self._log = loader, clock, offload, log

    async def send(self, login: Login, origin: Origin, letter: Letter) -> Posted:
        """Raises NotSent, StoreError."""
        try:
            return await self._send(login, origin, letter)
        except (OSError, Busy) as error:
            self._log.error("not composed", account=login.address, reason=repr(error))
            raise NotSent(Why.LATER, "The server cannot do this for the moment") from None

    async def _send(self, login: Login, origin: Origin, letter: Letter) -> Posted:
        if not login.grant.writes:
            raise NotSent(Why.FORBIDDEN_TO_SEND, "This login does not send mail")
        submissions = self._store.submissions
        if letter.key and (known := await submissions.under(login.account, letter.key)):
            return _posted(known)
        author = await self._author(login, letter)
        wish = await self._wish(login, letter, author)
        message_id = f"{secrets.token_hex(16)}@{self._settings().hostname}"
        sending = await self._sending(login, letter, author, message_id)
        copy = SentCopy(await self._sent_name(login), _private(letter))
        composed, sources = await self._composed(login, letter, author, message_id)
        message = await self._message(composed, sources)
        try:
            sent = await self._submitter.submit(
                login, origin, wish, message, sending, Protocol.WEB, copy
            )
        except AlreadySubmitted:
            found = await submissions.under(login.account, letter.key or "")
        else:
            found = (await submissions.get(login.account, [sent.id])).get(sent.id)
        if found is None:
            raise NotSent(Why.LATER, "It was sent, and its sender has let it go")
        return _posted(found)

    async def _author(self, login: Login, letter: Letter) -> Person:
        if letter.sender is not None:
            return letter.sender
        account = await self._directory.account_by_id(login.account)
        return Person(login.address, "" if account is None else account.name)

    async def _wish(self, login: Login, letter: Letter, author: Person) -> Wish:
        people: dict[str, None] = {}
        bad: list[str] = []
        for one in (*letter.to, *letter.cc, *letter.bcc):
            try:
                people[str(parse_mailbox(one.email))] = None
            except AddressError:
                bad.append(one.email)
        if bad:
            raise NotSent(Why.INVALID_RECIPIENTS, "Not addresses", recipients=tuple(bad))
        now, at = self._clock.now(), letter.send_at
        if at is None:
            undo = await self._directory.preferences.get(login.account, UNDO_SECONDS)
            at = now + min(max(undo, 0), MAX_UNDO)
        elif at > now + self._settings().smtp.hold_at_most:
            raise NotSent(Why.FORBIDDEN_TO_SEND, "It may not be held for so long")
        hold_until = at if at > now else None
        return Wish(author.email, tuple(To(one) for one in people), hold_until=hold_until)

    async def _sending(
        self, login: Login, letter: Letter, author: Person, message_id: str
    ) -> Sending:
        people = (*letter.to, *letter.cc, *letter.bcc)
        envelope = {
            "mailFrom": {"email": author.email, "parameters": None},
            "rcptTo": [{"email": one.email, "parameters": None} for one in people],
            "messageId": message_id,
        }
        packed = orjson.dumps(envelope).decode()
        identity = await self._identity(login, author)
        return Sending(identity, BlobId(0), 0, packed, frozenset(), letter.key or None)

    async def _identity(self, login: Login, author: Person) -> str:
        """The id of the one that has the address, else of the first."""
        user = await self._directory.account_by_id(login.account)
        if user is None:
            raise NoSuchAccount("The account is gone")
        addresses_ = await self._directory.sending_addresses(user)
        found = await self._directory.identities.of(login.account, addresses_)
        key = address_key(author.email)
        mine = [one for one in found if address_key(one.email) == key] or found
        return f"I{mine[0].id}"

    async def _sent_name(self, login: Login) -> str:
        """Where the copy goes; made where it is not there."""
        boxes = [one for one in await self._store.mailboxes(login.account) if one.selectable]
        used = next((one for one in boxes if one.special_use == USE), None)
        found = used or next((one for one in boxes if is_sent(one)), None)
        if found is None:
            found = await self._store.create(login.account, NAME, USE)
        return found.name

    async def _composed(
        self, login: Login, letter: Letter, author: Person, message_id: str
    ) -> tuple[Composed, dict[int, Pieces]]:
        """The message, and where the octets of its streams come from by their keys."""
        parts: list[Attachment] = []
        sources: dict[int, Pieces] = {}
        for number, one in enumerate(letter.attachments):
            name, kind, size, source = await self._attachment(login, one)
            sources[number] = source
            stream = Stream(number, size)
            parts.append(Attachment(stream, _media_type(kind), name, one.cid))
        try:
            fields = self._fields(letter, author, message_id)
            tree = simple_tree(letter.text, letter.html, parts)
        except BadValue as error:
            raise NotSent(Why.INVALID_EMAIL, str(error)) from None
        length = len(letter.text or "") + len(letter.html or "")
        if length <= _QUICK:
            composed = compose(fields, tree, message_id)
        else:
            composed = await self._offload.disk(compose, fields, tree, message_id)
        most = self._settings().limits.message_size
        if composed.size > most:
            raise NotSent(Why.TOO_LARGE, f"A message has at most {most} octets", limit=most)
        return composed, sources

    def _fields(self, letter: Letter, author: Person, message_id: str) -> list[bytes]:
        """Raises BadValue."""
        fields = [
            date("Date", datetime.fromtimestamp(int(self._clock.now()), UTC)),
            message_ids("Message-ID", [message_id]),
            _field("From", (author,)),
            _field("Reply-To", letter.reply_to),
            _field("To", letter.to),
            _field("Cc", letter.cc),
            text("Subject", letter.subject),
        ]
        for name, ids in (("In-Reply-To", letter.in_reply_to), ("References", letter.references)):
            if ids:
                fields.append(message_ids(name, ids))
        return [one for one in fields if one]

    async def _attachment(
        self, login: Login, one: Uploaded | OfDrive
    ) -> tuple[str, str, int, Pieces]:
        """Name, type, size and octets. Raises NotSent, StoreError."""
        if isinstance(one, OfDrive):
            asker = Asker(login.account, login.address, login.grant)
            try:
                opened = await self._drive.open(asker, ItemId(one.id))
            except StoreError as error:
                raise NotSent(Why.INVALID_EMAIL, f"Attachment {one.id[:80]}: {error}") from None
            octets = opened.octets
            pieces = Pieces(lambda: octets.pieces(0, octets.size))
            return one.name or opened.name, one.type or opened.type, octets.size, pieces
        try:
            blob = await self._blobs.get(login.account, one.blob)
        except NoSuchBlob:
            raise NotSent(Why.INVALID_EMAIL, f"There is no blob {one.blob[:80]}") from None
        return one.name, one.type, blob.size, Pieces(lambda: self._blobs.pieces(blob.hash))

    async def _message(self, composed: Composed, sources: dict[int, Pieces]) -> Message:
        """Raises NotSent, StoreError."""
        path = None
        if composed.size > IN_MEMORY:
            path = self._store.spool_dir / f"http-{secrets.token_hex(12)}"
        taking = Taking(path)
        try:
            for piece in composed.pieces:
                if isinstance(piece, bytes):
                    await self._take(taking, piece)
                    continue
                lines, size = Base64Lines(), 0
                async for octets in sources[piece.key].open():
                    size += len(octets)
                    await self._take(taking, lines.feed(octets))
                await self._take(taking, lines.end())
                if size != piece.size:
                    raise NotSent(Why.LATER, "An attachment changed while it was read")
            return taking.message()
        except BaseException:
            await self._loader.remove(path)
            raise

    async def _take(self, taking: Taking, piece: bytes) -> None:
        if taking.path is None:
            taking.take(piece)
        elif piece:
            await self._offload.disk(taking.take, piece)


def _posted(one: Submission) -> Posted:
    message_id = orjson.loads(one.envelope or "{}").get("messageId", "")
    return Posted(one.id, email_number(one.email), message_id, one.send_at)


def _field(name: str, people: Sequence[Person]) -> bytes:
    """Empty for nobody. Raises BadValue."""
    return addresses(name, [Group(None, tuple(people))]) if people else b""


def _private(letter: Letter) -> bytes:
    """What the sender's copy alone has. Raises NotSent."""
    try:
        return _field("Bcc", letter.bcc)
    except BadValue as error:
        raise NotSent(Why.INVALID_EMAIL, str(error)) from None


def _media_type(value: str) -> str:
    """What is none, and a message or multipart, which would have to be read, is octets."""
    kind = value.partition(";")[0].strip().lower()
    good = _TYPE.fullmatch(kind) and not kind.startswith(("multipart/", "message/"))
    return kind if good else "application/octet-stream"
