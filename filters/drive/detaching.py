"""Large attachments of mail that is sent become files of the sender's drive, with a link for its
recipients: by the policy of [drive] and what the account prefers.

It is done when every filter has taken the message and before it is signed. Invariant: what cannot
be put into the drive goes along as it was; the mail is sent in any case.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

from auth.grant import FULL
from auth.login_values import Login
from config.clock import Clock
from config.logging import Logger
from config.sections_server import Drive
from filters.context import Message
from filters.drive.service import Asker, DriveService, Wish
from filters.rewriting import with_header
from filters.submitting import Lightened
from message.decoding import decoder
from message.detach import Detachable, Linked, detachable, detached
from message.headers import first, header_block, iter_fields, without_blank_line
from net.threads import Busy, Offload, Pool
from storage.drive_values import Item, Link
from storage.errors import StoreError
from storage.preferences import ATTACHMENT_LINKS, Preferences

FIELD: Final = b"attachment-links"
FOLDER: Final = "Sent"
_PIECE: Final = 256 * 1024
_NOTE: Final = 200


class Detacher:
    """One for all protocols. `drive` gives the section in force, `base` scheme and authority of
    links.
    """

    def __init__(
        self,
        service: DriveService,
        preferences: Preferences,
        drive: Callable[[], Drive],
        base: Callable[[], str],
        offload: Offload,
        clock: Clock,
        log: Logger,
    ) -> None:
        self._service, self._preferences, self._drive = service, preferences, drive
        self._base, self._offload, self._clock, self._log = base, offload, clock, log

    async def lightened(
        self, login: Login, message: Message, hold_until: float | None
    ) -> Lightened:
        """The message, its large attachments replaced by links where that is wanted. Their time
        begins at `hold_until`, or at once.
        """
        drive = self._drive()
        said, message = _said(message)
        if message.content.size < drive.links_above or not self._base():
            return Lightened(message)
        try:
            if not await self._wanted(login, drive, said):
                return Lightened(message)
            held = max((hold_until or 0.0) - self._clock.now(), 0.0)
            seconds = min(drive.link_expires + held, drive.link_expires_most)
            return await self._lightened(login, message, drive, seconds)
        except (StoreError, OSError, Busy) as error:
            self._log.warning("attachments sent as they are", reason=str(error) or repr(error))
            return Lightened(message)

    async def _wanted(self, login: Login, drive: Drive, said: bytes) -> bool:
        """The header's word for one message, the account's, the server's."""
        if drive.attachment_links == "never":
            return False
        if said in (b"yes", b"no"):
            return said == b"yes"
        choice = await self._preferences.get(login.account, ATTACHMENT_LINKS)
        return choice == "on" or (choice != "off" and drive.attachment_links == "always")

    async def _lightened(
        self, login: Login, message: Message, drive: Drive, seconds: float
    ) -> Lightened:
        data = await self._offload.disk(_octets, message)
        find = partial(detachable, least=drive.links_above)
        gone = await self._offload.run(Pool.MIME, find, data)
        if not gone:
            return Lightened(message)
        asker = Asker(login.account, login.address, FULL)
        made: list[Item] = []
        try:
            links = [await self._linked(asker, data, one, seconds, message, made) for one in gone]
            until = datetime.fromtimestamp(links[0][1].terms.expires, UTC).strftime("%d %B %Y")
            text = detached(data, gone, [linked for linked, _ in links], until)
            lighter = await self._offload.disk(_with_text, message, text)
        except BaseException:
            await self._forget(asker, made)
            raise
        self._log.info("attachments became links", account=login.address, files=len(gone))
        return Lightened(lighter, partial(self._forget, asker, made))

    async def _forget(self, asker: Asker, made: Sequence[Item]) -> None:
        try:
            for item in made:
                await self._service.delete(asker, item.id)
        except StoreError as error:
            self._log.warning("files of mail that is not sent stay", reason=str(error))

    async def _linked(
        self,
        asker: Asker,
        data: bytes,
        one: Detachable,
        seconds: float,
        message: Message,
        made: list[Item],
    ) -> tuple[Linked, Link]:
        pieces = _decoded(data, one)
        try:
            item = await self._service.upload(asker, one.name, FOLDER, pieces)
        finally:
            await pieces.aclose()
        made.append(item)
        subject = (first(message.header, b"subject") or b"").decode("ascii", "replace")
        note = " ".join(subject.split())[:_NOTE]
        wish = Wish(seconds, note=note)
        link = await self._service.link(asker, item.id, wish, ahead=True)
        url = self._base() + await self._service.path(link)
        return Linked(item.name, item.size, url), link


def _said(message: Message) -> tuple[bytes, Message]:
    """What the message says of itself, and the message without saying it."""
    said = first(message.header, FIELD)
    if said is None:
        return b"", message
    header, kept = message.header, bytearray()
    for field in iter_fields(header):
        if field.name.lower() != FIELD:
            kept += header[field.start : field.end]
    return said.strip().lower(), with_header(message, bytes(kept))


async def _decoded(data: bytes, one: Detachable) -> AsyncGenerator[bytes, None]:
    undo = decoder(one.encoding) or decoder("binary")
    assert undo is not None
    view = memoryview(data)
    for at in range(one.offset, one.offset + one.length, _PIECE):
        yield undo.feed(bytes(view[at : min(at + _PIECE, one.offset + one.length)]))
    yield undo.finish()


def _octets(message: Message) -> bytes:
    """Blocks."""
    content = message.content
    if content.data is not None:
        return content.prefix + content.data
    assert content.path is not None
    with content.path.open("rb") as file:
        file.seek(content.start)
        return content.prefix + file.read()


def _with_text(message: Message, text: bytes) -> Message:
    """The message with other octets, in memory or in the same spooled file. Blocks."""
    content = replace(message.content, size=len(text), prefix=b"", start=0)
    if content.path is None:
        content = replace(content, data=text)
    else:
        beside = content.path.with_name(content.path.name + "-links")
        beside.write_bytes(text)
        beside.replace(content.path)
    header = without_blank_line(header_block(text))
    return replace(
        message,
        content=content,
        header=header,
        eightbit=not text.isascii(),
        headless=False,
        digests={},
    )
