"""What a request is refused with: a status, and the precondition that failed (RFC 4918 §16)."""


class DavError(Exception):
    """`condition` is the name of the precondition's element, "" where the standard has none;
    `inside` is XML that stands in it.
    """

    def __init__(
        self, status: int, condition: str = "", detail: str = "", inside: str = ""
    ) -> None:
        super().__init__(status, condition, detail, inside)
        self.status, self.condition, self.detail, self.inside = status, condition, detail, inside


def absent() -> DavError:
    """Nothing there that the login may know of."""
    return DavError(404)
