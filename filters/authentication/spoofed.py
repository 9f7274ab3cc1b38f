"""Authentication-Results fields that arrive in our own name are taken out (RFC 8601 §5).

Signatures are checked on what arrived; only what is stored lacks these fields. The rest of the
header goes into the prefix and the body stays where it is, so that no file is written twice.
"""

from dataclasses import replace

from filters.context import Message
from message.authentication_results import spoofed_fields
from storage.values import Content


def without_spoofed(message: Message, hostname: str) -> Content:
    """The content as it is to be stored, most often the very same one."""
    content, header = message.content, message.header
    found = spoofed_fields(header, hostname)
    if not found:
        return content
    kept, position = [], 0
    for start, end in found:
        kept.append(header[position:start])
        position = end
    cleaned = b"".join((*kept, header[position:]))
    data = content.data
    return replace(
        content,
        size=content.size - len(header) + len(cleaned),
        prefix=content.prefix + cleaned,
        data=data[len(header) :] if data is not None else None,
        start=content.start + len(header) if content.path is not None else content.start,
    )
