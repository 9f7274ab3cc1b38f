"""Content-Disposition of a file for any client (RFC 6266 §4.3, RFC 8187 §3.2). Pure."""

from urllib.parse import quote

from storage.drive_values import Disposition

_PLAIN = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$&+-.^_`|~ ()[]{}@=,;'"
)


def content_disposition(disposition: Disposition, name: str) -> str:
    """One line whatever the name: what `filename` cannot carry is "_" there, and whole in
    `filename*`.
    """
    plain = "".join(char if char in _PLAIN else "_" for char in name)
    found = f'{disposition.value}; filename="{plain}"'
    if plain == name:
        return found
    return f"{found}; filename*=UTF-8''{quote(name, safe='')}"
