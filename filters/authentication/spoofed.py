"""Authentication-Results fields that arrive in our own name are taken out (RFC 8601 §5).

Signatures are checked on what arrived; only what is stored lacks these fields.
"""

from filters.context import Message
from filters.rewriting import with_header
from message.authentication_results import spoofed_fields


def without_spoofed(message: Message, hostname: str) -> Message:
    """The message as it is to be stored, most often the very same one."""
    header = message.header
    found = spoofed_fields(header, hostname)
    if not found:
        return message
    kept, position = [], 0
    for start, end in found:
        kept.append(header[position:start])
        position = end
    return with_header(message, b"".join((*kept, header[position:])))
