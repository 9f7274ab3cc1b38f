"""Addresses of the image proxy, which are good only as this server wrote them, and for a while.

A frame that shows a message has no cookie, so what may be fetched is signed for it.
"""

import base64
import hmac
from typing import Final
from urllib.parse import urlencode

PATH: Final = "/imgproxy"
KEY: Final = "images"
"""The name of the secret (storage/server_secrets.py)."""
LIFE: Final = 86_400
"""Seconds."""
MAX_URL: Final = 4_096


def signed_path(url: str, now: float, key: bytes) -> str:
    """Where the image of a URL is to be had; `now` in seconds since 1970."""
    # the same all day, so that a browser keeps what it has
    expires = (int(now) // LIFE + 2) * LIFE
    return f"{PATH}?{urlencode({'u': url, 'e': expires, 's': _signature(url, expires, key)})}"


def is_signed(url: str, expires: str, signature: str, now: float, key: bytes) -> bool:
    """Whether this server wrote it, and its time is not over."""
    if not (expires.isascii() and expires.isdigit() and len(expires) < 12):
        return False
    wanted = _signature(url, int(expires), key)
    return hmac.compare_digest(wanted.encode(), signature.encode()) and now < int(expires)


def _signature(url: str, expires: int, key: bytes) -> str:
    told = f"image\n{expires}\n{url}".encode("utf-8", "surrogatepass")
    return base64.urlsafe_b64encode(hmac.digest(key, told, "sha256")).rstrip(b"=").decode()
