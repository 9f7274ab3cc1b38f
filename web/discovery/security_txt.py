"""Where to report holes: security.txt (RFC 9116)."""

from datetime import datetime, timedelta
from typing import Final

LIFE: Final = timedelta(days=30)


def security_txt(contact: str, origin: str, now: datetime) -> str:
    """`contact` is a URI, `origin` of the site or ""; good for 30 days from `now`, in UTC."""
    expires = (now + LIFE).replace(hour=0, minute=0, second=0, microsecond=0)
    lines = [f"Contact: {contact}", f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}"]
    if origin:
        lines.append(f"Canonical: {origin}/.well-known/security.txt")
    lines.append("Preferred-Languages: en")
    return "".join(f"{line}\n" for line in lines)
