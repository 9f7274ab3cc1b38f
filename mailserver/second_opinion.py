"""dkimpy, which nobody here wrote, on a signature made here: the only file that knows it.

Blocks, and is slow: for `mailserver check` alone.
"""

from collections.abc import Mapping

import dkim


def verifies(message: bytes, records: Mapping[str, bytes]) -> str:
    """Why the first DKIM signature of a message does not verify, "" when it does. `records` are
    the TXT records by name, without final dots.
    """

    def answer(name: bytes, timeout: float = 5) -> bytes | None:
        return records.get(name.decode("ascii", "replace").rstrip("."))

    try:
        good = dkim.DKIM(message).verify(dnsfunc=answer)
    except (dkim.DKIMException, ValueError) as error:
        return " ".join(str(error).split()) or type(error).__name__
    return "" if good else "the signature does not verify"
