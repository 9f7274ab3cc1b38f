"""Makes the global cache that `store.cache` names."""

from pydantic import SecretStr

from config.clock import Clock
from config.logging import get_logger
from storage.cache.cache import Cache
from storage.cache.memory import MemoryCache
from storage.errors import StoreError


class CacheUnusable(StoreError):
    """The cache cannot be used; the text says in one line why and what to do."""


def make_cache(place: SecretStr, clock: Clock) -> Cache:
    """Not started. A server that is away is no error. Raises CacheUnusable."""
    url = place.get_secret_value()
    if url == "memory":
        return MemoryCache(clock)
    try:  # an extra
        from storage.cache.redis import RedisCache
    except ModuleNotFoundError as error:
        raise CacheUnusable("store.cache needs redis: install mailserver[redis]") from error
    try:
        return RedisCache(url, get_logger("cache"))
    except ValueError as error:  # redis-py shows parts of the URL in what it raises
        raise CacheUnusable('store.cache: a URL such as "redis://host:port/db"') from error
