"""Whether DNS serves a DKIM key: asked before the key is used, and by `domain dns --check`."""

from message.dkim_signing_key import SigningKey
from message.dkim_tags import TagError, decode_base64, parse_tags
from net.dns import NoRecords, NoSuchName, Questions


async def is_published(resolver: Questions, key: SigningKey) -> bool:
    """Raises DnsUnavailable."""
    try:
        texts = await resolver.txt(key.name)
    except (NoSuchName, NoRecords):
        return False
    return len(texts) == 1 and publishes(texts[0], key)


def publishes(text: bytes, key: SigningKey) -> bool:
    """Whether a record holds this public key; other tags may differ."""
    own = parse_tags(key.record.encode())
    try:
        found = parse_tags(text)
        same = decode_base64(found.get(b"p", b"")) == decode_base64(own[b"p"])
    except TagError:
        return False
    return same and found.get(b"k", b"rsa") == own[b"k"]
