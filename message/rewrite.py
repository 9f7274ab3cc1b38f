"""A header block with fields taken out; everything else stays octet for octet."""

from collections.abc import Callable, Collection

from message.headers import Field, iter_fields

Which = Callable[[Field], bool]


def without(block: bytes, which: Which) -> bytes:
    """The block without the fields for which `which` is true; itself when there are none."""
    gone = [field for field in iter_fields(block) if which(field)]
    if not gone:
        return block
    kept, position = [], 0
    for field in gone:
        kept.append(block[position : field.start])
        position = field.end
    return b"".join((*kept, block[position:]))


def named(names: Collection[bytes]) -> Which:
    """True for fields of these names, which are in lower case."""
    return lambda field: field.name.lower() in names
