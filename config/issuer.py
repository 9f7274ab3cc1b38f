"""The address by which this server issues tokens (RFC 8414 §2)."""

from config.settings import Settings

HTTPS = 443


def issuer_of(settings: Settings) -> str:
    """oauth.issuer, or else https, the host name and the port of the first https listener; "" when
    there is no issuer.
    """
    if not settings.oauth.enabled:
        return ""
    if settings.oauth.issuer:
        return settings.oauth.issuer
    port = settings.listen.https[0].port if settings.listen.https else 0
    return f"https://{settings.hostname}" + (f":{port}" if port not in (0, HTTPS) else "")


def discovery_of(settings: Settings) -> str:
    """Where a mail client whose token was refused finds who gives out others (RFC 7628 §3.2.2): the
    outside provider where its tokens are taken, else this server; "" for nowhere.
    """
    outside = settings.oidc.issuer if settings.oidc.access_tokens != "off" else ""
    issuer = outside or issuer_of(settings)
    return f"{issuer.rstrip('/')}/.well-known/openid-configuration" if issuer else ""
