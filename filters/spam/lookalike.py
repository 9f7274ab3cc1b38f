"""Letters that look like others: mixed scripts in a word, and domains made to be taken for others.

Pure and bounded: a word is looked at once, a domain compared with a few dozen names.
"""

import re
from functools import lru_cache
from typing import Final
from unicodedata import combining, normalize

from filters.spam.domains import BRANDS, owner_label, words

_WORD: Final = re.compile(r"[^\W\d_]{2,64}")
# What Cyrillic and Greek lend to Latin letters; digits that stand for letters.
_LENT: Final = {
    "a": "\u0430\u03b1",
    "b": "\u03b2\u0432",
    "c": "\u0441\u03f2",
    "d": "\u0501",
    "e": "\u0435\u03b53",
    "h": "\u04bb",
    "i": "\u0456\u03b9\u0131",
    "j": "\u0458",
    "k": "\u03ba\u043a",
    "l": "\u04cf\u01421|",
    "m": "\u043c",
    "n": "\u03b7",
    "o": "\u043e\u03bf\u00f80",
    "p": "\u0440\u03c1",
    "q": "\u051b",
    "s": "\u04555$",
    "t": "\u03c4\u0442",
    "u": "\u03c5",
    "v": "\u03bd",
    "w": "\u051d",
    "x": "\u0445\u03c7",
    "y": "\u0443\u03b3",
}
_TWINS: Final = str.maketrans({one: twin for twin, lent in _LENT.items() for one in lent})
_INVISIBLE: Final = re.compile("[\u00ad\u034f\u061c\u115f\u180e\u200b-\u200f\u202a-\u202e"
                               "\u2060-\u2064\u2066-\u2069\ufeff]")  # fmt: skip


def is_mixed(word: str) -> bool:
    """Latin letters together with Cyrillic or Greek ones, in one word."""
    if word.isascii():
        return False
    latin = other = False
    for letter in word:
        code = ord(letter)
        if code < 0x250:
            latin = latin or letter.isalpha()
        elif 0x370 <= code < 0x530 and code != 0x3BC:  # the micro sign's twin
            other = True
    return latin and other


def mixed_words(text: str, limit: int) -> list[str]:
    """Words of mixed scripts, at most `limit`."""
    found: list[str] = []
    if text.isascii():
        return found
    for match in _WORD.finditer(text):
        if is_mixed(match[0]):
            found.append(match[0])
            if len(found) >= limit:
                break
    return found


def invisible(text: str) -> int:
    """How many characters nobody sees."""
    return 0 if text.isascii() else len(_INVISIBLE.findall(text))


def skeleton(label: str) -> str:
    """What a label looks like: letters for their twins, `rn` for `m`, `vv` for `w`."""
    if not label.isascii():
        label = "".join(c for c in normalize("NFKD", label) if not combining(c))
    return label.lower().translate(_TWINS).replace("rn", "m").replace("vv", "w")


@lru_cache(maxsize=2048)
def imitated(domain: str) -> str:
    """The well-known name that a domain (A-labels) is made to look like, "" for none."""
    label = owner_label(domain)
    shown = unicode_of(label)
    if shown in BRANDS:
        return ""
    twin = skeleton(shown)
    if twin in _SKELETONS and (twin != shown or _SKELETONS[twin] != shown):
        return _SKELETONS[twin]
    for part in re.split("[-_]", twin)[:8]:
        if part != twin and part in _SKELETONS and _is_lure(twin, part):
            return _SKELETONS[part]
    for cut in _cuts(twin) if 5 < len(twin) < 18 else ():
        for brand in _NEAR.get(cut, ()):
            if _is_near(twin, brand):
                return brand
    return ""


@lru_cache(maxsize=2048)
def unicode_of(label: str) -> str:
    """An A-label as it is shown; itself when it is none."""
    if not label.startswith("xn--") or len(label) > 63:
        return label
    try:
        return label[4:].encode("ascii").decode("punycode")
    except (UnicodeError, ValueError):
        return label


def _is_lure(twin: str, brand: str) -> bool:
    """`paypal-login`: the name beside a word that asks for something."""
    return any(word in twin.replace(brand, "", 1) for word in _LURES)


def _is_near(label: str, brand: str) -> bool:
    """One letter missing, doubled, wrong or swapped with its neighbour."""
    if abs(len(label) - len(brand)) > 1 or label in (brand, brand + "s"):
        return False
    at = 0
    shorter = min(len(label), len(brand))
    while at < shorter and label[at] == brand[at]:
        at += 1
    rest, other = label[at:], brand[at:]
    if len(rest) == len(other):
        return rest[1:] == other[1:] or (
            rest[2:] == other[2:] and rest[:2] == other[1::-1] and len(other) > 1
        )
    return rest[1:] == other if len(rest) > len(other) else rest == other[1:]


def _cuts(word: str) -> list[str]:
    """The word, and it without each of its letters: words an error apart share one of them."""
    return [word, *(word[:at] + word[at + 1 :] for at in range(len(word)))]


_SKELETONS: Final = {skeleton(brand): brand for brand in BRANDS}
# Words of the language are too near to these.
_COMMON: Final = {"booking", "telekom"}
_NEAR: Final[dict[str, list[str]]] = {}
for _brand in sorted(BRANDS - _COMMON):
    for _cut in _cuts(_brand) if len(_brand) >= 7 else ():
        _NEAR.setdefault(_cut, []).append(_brand)
_LURES: Final = words(
    "account billing confirm help id invoice login mail online pay secure security service sign"
    " support update verify"
)
