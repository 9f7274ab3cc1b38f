"""How the C library hands out memory to this process. Set once, before anything serves.

uvloop gives each TLS connection a buffer of 256 KiB, of which an idle one touches a page. That only
costs little while such blocks are mapped on their own; by default glibc raises the bound for that
as soon as one was freed, and each idle TLS connection then takes 46 KiB instead of 24.
"""

import ctypes

_M_MMAP_THRESHOLD = -3
_THRESHOLD = 128 * 1024


def map_large_blocks() -> bool:
    """Keeps blocks of 128 KiB and more out of the heap; False where the C library can't."""
    try:
        return bool(ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _THRESHOLD))
    except (OSError, AttributeError):
        return False
