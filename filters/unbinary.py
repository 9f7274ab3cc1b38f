"""What came as BODY=BINARYMIME, made fit for the store and for servers that take no binary data."""

from dataclasses import replace
from hashlib import blake2b

from filters.context import Message
from message.binary import without_binary
from message.headers import header_block, without_blank_line


def unbinary(message: Message) -> Message | None:
    """The message with its binary parts in base64, in memory or in the same spooled file.

    None when it has octets that no line can have outside of such parts. Blocks. Raises OSError.
    """
    content = message.content
    data = content.data if content.data is not None else _read(message)
    text = without_binary(data)
    ends = text.count(b"\r\n")
    if b"\0" in text or text.count(b"\n") != ends or text.count(b"\r") != ends:
        return None
    digest = blake2b(text, digest_size=16).digest()
    if content.path is None:
        changed = replace(content, size=len(text), digest=digest, data=text)
    else:
        beside = content.path.with_name(content.path.name + "-text")
        beside.write_bytes(text)
        beside.replace(content.path)
        changed = replace(content, size=len(text), digest=digest)
    return replace(
        message,
        content=changed,
        header=without_blank_line(header_block(text)),
        eightbit=not text.isascii(),
    )


def _read(message: Message) -> bytes:
    assert message.content.path is not None
    return message.content.path.read_bytes()
