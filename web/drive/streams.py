"""How many downloads run at once, by address and by whose file it is."""

from collections import Counter
from collections.abc import Callable, Hashable
from typing import Final

from net.limits import address_key

OF_ADDRESS: Final = 16
OF_FILE: Final = 64


class Streams:
    """`enter` gives what is to be called once at the end, None where there are too many."""

    def __init__(self, of_address: int = OF_ADDRESS, of_file: int = OF_FILE) -> None:
        self._of_address, self._of_file = of_address, of_file
        self._running: Counter[Hashable] = Counter()

    def enter(self, address: str, file: str) -> Callable[[], None] | None:
        """For a download from that address of that file."""
        keys = (("address", address_key(address)), ("file", file))
        limits = (self._of_address, self._of_file)
        if any(self._running[key] >= most for key, most in zip(keys, limits, strict=True)):
            return None
        self._running.update(keys)
        left = False

        def leave() -> None:
            nonlocal left
            if left:
                return
            left = True
            self._running.subtract(keys)
            for key in keys:
                if not self._running[key]:
                    del self._running[key]

        return leave

    def __len__(self) -> int:
        return sum(self._running.values()) // 2
