"""What `:type`, `:subtype`, `:contenttype` and `:param` take from a field (RFC 5703 §4.1)."""

from dataclasses import dataclass
from typing import Final

from filters.sieve.errors import Mistake
from filters.sieve.mail import FieldOf
from filters.sieve.signature import Given
from filters.sieve.strings import Texts, constants
from message.params import decode_params, parse_content_type, parse_disposition

_KINDS: Final = (":type", ":subtype", ":contenttype", ":param")


@dataclass(frozen=True, slots=True)
class MimePart:
    """One of the tags; `params` are the names that `:param` asks for."""

    kind: str
    params: Texts


def mime_part(given: Given) -> MimePart | None:
    """What the test asks for, None for the whole field."""
    kind = given.chosen(_KINDS, "")
    if not kind:
        return None
    if not given.has(":mime"):
        raise Mistake(f"{kind} needs :mime", given.options[kind][1])
    names = given.compiler.texts(given, kind) if kind == ":param" else constants()
    return MimePart(kind, names)


def mime_values(field: FieldOf, kind: str, names: tuple[str, ...]) -> list[str]:
    """Of Content-Type and Content-Disposition; for what a field has none of "" is compared."""
    if field.name == "content-type":
        found = parse_content_type(field.value)
        if found is None:
            return []
        main, sub, params = found[0].decode("ascii", "replace"), found[1], found[2]
        whole = f"{main}/{sub.decode('ascii', 'replace')}"
        if kind != ":param":
            subtype = sub.decode("ascii", "replace")
            return [{":type": main, ":subtype": subtype}.get(kind, whole)]
    elif field.name == "content-disposition":
        disposition = parse_disposition(field.value)
        if disposition is None:
            return []
        params = disposition[1]
        if kind != ":param":
            return ["" if kind == ":subtype" else disposition[0].decode("ascii", "replace")]
    else:
        return [] if kind == ":param" else [""]
    decoded = decode_params(params)
    return [decoded[name.lower()] for name in names if name.lower() in decoded]
