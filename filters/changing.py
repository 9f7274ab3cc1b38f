"""A message and its recipients after the changes that milters asked for."""

from dataclasses import replace

from filters.context import Message, Recipient
from filters.message_changes import Changes
from filters.rewriting import with_header
from message.header_edits import edited
from net.threads import Offload
from storage.directory import Directory
from storage.directory_values import Resolution, Status


async def changed_message(message: Message, changes: Changes, offload: Offload) -> Message:
    """The message with its header and body changed. Raises OSError and Busy."""
    if changes.edits:
        header = edited(message.header, changes.edits)
        message = with_header(message, header)
        eightbit = message.eightbit or not header.isascii()
        message = replace(message, eightbit=eightbit)
    if changes.body is not None:
        message = await offload.disk(_with_body, message, changes.body)
    return message


def previewed(message: Message, changes: Changes) -> Message:
    """The same for who looks at it next, a new body in memory; its file stays as it is."""
    if changes.edits:
        message = with_header(message, edited(message.header, changes.edits))
    if changes.body is None:
        return message
    data = message.header + b"\r\n" + changes.body
    content = replace(message.content, size=len(data), prefix=b"", start=0, data=data, path=None)
    return replace(message, content=content, headless=False, digests={})


async def changed_recipients(
    recipients: list[Recipient], changes: Changes, directory: Directory
) -> tuple[list[Recipient], list[str]]:
    """Who gets the message, and the addresses that were to be added and are nobody's here. Raises
    StoreError.
    """
    gone = {_same(address) for address in changes.removed}
    kept = [one for one in recipients if _same(one.address) not in gone]
    unknown = []
    for address in changes.added:
        if any(_same(one.address) == _same(address) for one in kept):
            continue
        resolution = await directory.resolve(address)
        if resolution.status is Status.NOT_OURS:
            resolution = Resolution(Status.DELIVERABLE, remote=(address,))
        if resolution.status is Status.DELIVERABLE:
            kept.append(Recipient(address, resolution))
        else:
            unknown.append(address)
    return kept, unknown


def _same(address: str) -> str:
    return address.strip().removeprefix("<").removesuffix(">").casefold()


def _with_body(message: Message, body: bytes) -> Message:
    """Blocks. A spooled message stays in its file, which the store takes over."""
    data = message.header + b"\r\n" + body
    eightbit = not data.isascii()
    content = replace(message.content, size=len(data), prefix=b"", start=0)
    if content.path is None:
        content = replace(content, data=data)
    else:
        beside = content.path.with_name(content.path.name + "-body")
        beside.write_bytes(data)
        beside.replace(content.path)
    return replace(message, content=content, eightbit=eightbit, headless=False, digests={})
