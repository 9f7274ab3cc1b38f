"""For whom passkeys are: the server's host name, and the origins at which its pages are."""

from collections.abc import Mapping, Sequence

from auth.webauthn import Site
from config.fields import Endpoint
from config.settings import Settings

LOCAL = "localhost"


def site_of(settings: Settings, listeners: Mapping[str, Sequence[Endpoint]]) -> Site:
    """`listeners` are the addresses at which http and https accept. Unless auth.passkey_site and
    auth.passkey_origins say otherwise it is the host name's https, without a port (a proxy in
    front, or port 443) and on ports of https; plain http only on `localhost`, which browsers trust
    (W3C Secure Contexts §3.1).
    """
    host = settings.auth.passkey_site or settings.hostname.lower()
    if settings.auth.passkey_origins:
        return Site(host, tuple(settings.auth.passkey_origins))
    origins = [f"https://{host}"]
    schemes = ("https", "http") if host == LOCAL else ("https",)
    for scheme in schemes:
        origins += [f"{scheme}://{host}:{at.port}" for at in listeners.get(scheme, ())]
    return Site(host, tuple(dict.fromkeys(origins)))
