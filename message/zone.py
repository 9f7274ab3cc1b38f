"""Records of DNS as they stand in a zone file (RFC 1035 §5.1). Pure."""

from dataclasses import dataclass

TTL = 3600
_STRING = 255


@dataclass(frozen=True, slots=True)
class ZoneRecord:
    """`name` without a final dot. `value` of TXT is the text as one, else as a zone file has it."""

    name: str
    type: str
    value: str


def zone_line(record: ZoneRecord) -> str:
    """The record on one line; a long text in several strings, which DNS joins (RFC 6376
    §3.6.2.2).
    """
    value = record.value
    if record.type == "TXT":
        pieces = [value[start : start + _STRING] for start in range(0, len(value), _STRING)]
        value = " ".join(f'"{_escaped(piece)}"' for piece in pieces)
    return f"{record.name}. {TTL} IN {record.type} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
