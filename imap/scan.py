"""What comes in by APPEND and REPLACE is scanned for viruses before any of it is stored.

RFC 9051 §6.3.12 leaves refusals to the server; CANNOT and UNAVAILABLE are RFC 5530's.
"""

import asyncio
from collections.abc import Sequence

from filters.virus_scanner import Unscanned, VirusScanner
from imap.replies import No
from storage.spool import Spool


async def scan(scanner: VirusScanner, spools: Sequence[Spool]) -> None:
    """Raises No for an infected message, and when nobody could scan and virus.on_error says so."""
    if not scanner.on:
        return
    await asyncio.sleep(0)  # a scan is bounded in time, which needs a task: net/eager.py
    for spool in spools:
        try:
            found = await scanner.scan_pieces(spool.key, spool.pieces)
        except Unscanned:
            if not scanner.accepts_unscanned:
                raise No("Virus scanner not available, try again later", b"UNAVAILABLE") from None
            continue
        if found.infected:
            raise No(f"Message contains a virus: {found.signature}", b"CANNOT")
