"""The bounds of the core capability (RFC 8620 §2), as clients are told them."""

from dataclasses import dataclass
from typing import Any, Final

from message.collations import COMPARED

MAX_MESSAGE: Final = 50 * 1024 * 1024
"""Octets of a message."""
MAX_ATTACHED: Final = 36 * 1024 * 1024
"""Octets of all attachments: so many, encoded, still are a message within its bound."""

MAX_REQUEST: Final = 10 * 1024 * 1024
"""Octets of a request, by HTTP and by WebSocket."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in octets; `answer` is that of all Emails got by a request, `downloads` how many run at
    once, `ids_in_query` how many ids a /query tells, `handled` that of all blobs that one call
    makes, copies or digests. Requests of one user beyond `concurrent_requests` wait for a moment
    before they are refused: browsers with several pages open run into it.
    """

    upload: int = 50 * 1024 * 1024
    concurrent_uploads: int = 4
    request: int = MAX_REQUEST
    answer: int = 32 * 1024 * 1024
    concurrent_requests: int = 16
    downloads: int = 8
    calls: int = 64
    objects_in_get: int = 1000
    objects_in_set: int = 1000
    ids_in_query: int = 10_000
    handled: int = 256 * 1024 * 1024

    @property
    def capability(self) -> dict[str, Any]:
        """The value of urn:ietf:params:jmap:core in the Session."""
        return {
            "maxSizeUpload": self.upload,
            "maxConcurrentUpload": self.concurrent_uploads,
            "maxSizeRequest": self.request,
            "maxConcurrentRequests": self.concurrent_requests,
            "maxCallsInRequest": self.calls,
            "maxObjectsInGet": self.objects_in_get,
            "maxObjectsInSet": self.objects_in_set,
            "collationAlgorithms": COLLATIONS,
        }


COLLATIONS: Final = list(COMPARED)
