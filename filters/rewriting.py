"""A message with another header: in memory put together anew, in its spooled file only the place
where it begins moves, so that no file is written twice.
"""

from dataclasses import replace

from filters.context import Message


def with_header(message: Message, header: bytes) -> Message:
    """The message with `header` (without its blank line) in the place of its own.

    `message` is as it arrived, or comes from here.
    """
    if header == message.header and not message.headless:
        return message
    old, content = len(message.header), message.content
    head = header + b"\r\n" if message.headless else header
    size = content.size - old + len(head)
    if content.data is not None:
        changed = replace(content, size=size, data=head + content.data[old:])
    else:
        moved = bool(content.prefix)
        prefix = head + content.prefix[old:]
        changed = replace(content, size=size, prefix=prefix, start=content.start if moved else old)
    return replace(message, content=changed, header=header, headless=False)
