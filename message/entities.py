"""Character references of HTML decoded (`&amp;`, `&#233;`). Linear time; nothing raises.

The standard library's `html.unescape` raises on a decimal reference of more than 4,300 digits.
"""

import html
import re
from typing import Final

_ZEROS: Final = re.compile(r"&#0++(?=[0-9])")
_LONG: Final = re.compile(r"&#[0-9]{8,}+;?")
_UNKNOWN: Final = "\ufffd"


def unescape(text: str) -> str:
    """The text with its references replaced; one beyond Unicode is U+FFFD."""
    if "&" not in text:
        return text
    if "&#" in text:
        text = _LONG.sub(_UNKNOWN, _ZEROS.sub("&#", text))
    return html.unescape(text)
