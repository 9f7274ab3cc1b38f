"""Errors of OAuth, by the names that the standards give them."""


class OAuthError(Exception):
    """`error` as in RFC 6749 §4.1.2.1 and §5.2, RFC 8628 §3.5, RFC 6750 §3.1 or OpenID Connect Core
    §3.1.2.6; the text may be shown to anybody. `status` is that of HTTP where it is no redirect.
    """

    def __init__(self, error: str, text: str, status: int = 400, wait: float = 0.0) -> None:
        super().__init__(text)
        self.error, self.status, self.wait = error, status, wait


class BadRequest(Exception):
    """A request for authorisation whose client or redirect is not known: nobody is sent anywhere
    (RFC 6749 §4.1.2.1). The text may be shown.
    """
