"""Rules about what is read: words, letters, and HTML that shows something else than it holds.

Every pattern takes time linear in the text: repeats are bounded or possessive.
"""

import re
from typing import Final

from filters.spam.lookalike import mixed_words
from filters.spam.rules.mail import Finds, Found, Mail

GTUBE: Final = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
MAX_TEXT: Final = 32 * 1024
MAX_COIN: Final = 8 * 1024
_UNSEEN: Final = re.compile("[A-Za-z][\u200b-\u200d\u2060\ufeff][A-Za-z]")
_COIN: Final = re.compile(r"\b(?:bc1[a-z0-9]{25,60}|[13][a-km-zA-HJ-NP-Z1-9]{25,34})\b")
_THREAT: Final = re.compile(
    r"webcam|your (?:camera|device|password)|recorded you|masturbat|porn|compromis|hacked"
)
_COIN_WORDS: Final = re.compile(r"bitcoin|\bbtc\b|litecoin|ethereum|monero|cryptocurrenc")
_MILLION: Final = re.compile(r"\bmillions?\b|\d{1,3}(?:[,.]\d{3}){2}")
_PHRASES: Final = (
    "next of kin,beneficiary,inheritance,late husband,foreign partner,fund transfer,transfer of"
    " fund,strictly confidential,utmost confidence,mutual benefit,bank account,contract sum"
    ",deceased,consignment,diplomat,barrister,dear friend,security company,lottery,compensation"
    ",attorney,modalities,top secret,urgent reply,god bless"
)
_FEE: Final = tuple(_PHRASES.split(","))
_LURE: Final = re.compile(
    r"(?:account|mailbox|e-?mail|access|password)\W{1,3}(?:\w{1,15}\W{1,3}){0,4}"
    r"(?:suspend|deactivat|expir|terminat|limited|locked|blocked|close[ds]|quota|full|verif|confirm)"
    r"|(?:verify|confirm|update|validate)\s{1,3}your\s{1,3}(?:\w{1,15}\s{1,3}){0,2}"
    r"(?:account|identity|password|mailbox|billing|information)"
)
# Without one of these the pattern has nothing to find.
_LURED: Final = (
    *("suspend", "deactivat", "expir", "terminat", "limited", "locked", "quota", "closed"),
    *("verif", "confirm", "validate", "update"),
)
_UNSUBSCRIBE: Final = re.compile(r"unsubscrib|opt[ -]?out|be removed from|remove yourself")
_ZERO: Final = re.compile(
    r"font-size\s{0,5}:\s{0,5}0+(?:\.0+)?\s{0,5}(?:px|pt|em|rem|%)?\s{0,5}[;\"'!}]"
)
_HIDES: Final = re.compile(r"display\s{0,5}:\s{0,5}none|visibility\s{0,5}:\s{0,5}hidden|mso-hide"
                           r"|opacity\s{0,5}:\s{0,5}0|max-height\s{0,5}:\s{0,5}0")  # fmt: skip
_IMAGE: Final = re.compile(r"<img\b([^<>]{0,3000})>")
_POINT: Final = re.compile(r"\b(?:width|height)\s{0,3}[=:]\s{0,3}[\"']?[01](?:px)?(?=[\"'\s;/]|$)")
_NUMBERS: Final = re.compile(
    r"(?:&#(?:x[46][0-9a-f]|x[57][0-9a]|6[5-9]|[789]\d|1[01]\d|12[0-2]);){5}"
)
_CUT: Final = re.compile(r"[a-z]<!--[^<>]{0,200}-->[a-z]")
_PASSWORD: Final = re.compile(r"<input\b[^<>]{0,1000}type\s{0,3}=\s{0,3}[\"']?password")


def letters(mail: Mail) -> Finds:
    text = mail.text[:MAX_TEXT]
    mixed = mixed_words(text, 4)
    if len(mixed) > 1:
        yield Found("R_MIXED_CHARSET", ", ".join(mixed)[:100], len(mixed) / 4)
    if not text.isascii():
        cut = sum(1 for _ in _UNSEEN.finditer(text))
        if cut > 2:
            yield Found("ZERO_WIDTH_TEXT", f"{cut} words")
    part = text[:4000]
    upper, lower = sum(map(str.isupper, part)), sum(map(str.islower, part))
    if upper + lower > 300 and upper > 2 * lower:
        yield Found("TEXT_ALL_CAPS")


def words(mail: Mail) -> Finds:
    text = mail.text[:MAX_TEXT]
    lower = text.lower()
    if GTUBE in text:
        yield Found("GTUBE")
    coin = _COIN.search(text[:MAX_COIN])
    if coin is not None:
        yield Found("BITCOIN_ADDR", coin[0])
        if _COIN_WORDS.search(lower) and len(set(_THREAT.findall(lower))) > 1:
            yield Found("LEAKED_PASSWORD_SCAM")
    if ("million" in lower or ",000" in lower or ".000" in lower) and _MILLION.search(lower):
        said = [phrase for phrase in _FEE if phrase in lower]
        if len(said) > 2:
            yield Found("ADVANCE_FEE", ", ".join(said[:4]), min(1.0, len(said) / 5))
    lured = any(one in lower for one in _LURED) and any(one.host for one in mail.targets)
    lure = _LURE.search(lower) if lured else None
    if lure is not None:
        yield Found("CREDENTIAL_LURE", lure[0][:80])
    if b"list-unsubscribe" not in mail.fields and _UNSUBSCRIBE.search(lower):
        yield Found("UNSUBSCRIBE_TEXT")


def hidden(mail: Mail) -> Finds:
    reading = mail.reading
    unseen = sum(map(str.isalnum, reading.hidden[:MAX_TEXT])) if reading.hidden else 0
    if unseen < 20:
        return
    source = mail.source
    if _ZERO.search(source):
        yield Found("ZERO_FONT")
    elif not _HIDES.search(source):
        yield Found("R_WHITE_ON_WHITE")
    if unseen > 300 and unseen > len(reading.html) // 2:
        yield Found("MANY_INVISIBLE_PARTS", f"{unseen} letters")


def pictures(mail: Mail) -> Finds:
    reading = mail.reading
    source = mail.source
    if "<img" not in source:
        return
    tags = _IMAGE.findall(source)
    points = sum(len(_POINT.findall(tag)) > 1 for tag in tags[:200])
    if points:
        yield Found("HIDDEN_IMAGE", str(points))
    seen = len(reading.html)
    if len(tags) > points and seen < 200:
        linked = any(link.kind == "a" and not link.text for link in reading.links)
        if linked:
            yield Found("HTML_SHORT_LINK_IMG", f"{seen} characters")
        elif seen < 50 and len(reading.plain) < 50:
            yield Found("HTML_IMAGE_ONLY", f"{seen} characters")


def markup(mail: Mail) -> Finds:
    source = mail.source
    if not source:
        return
    kinds = {link.kind for link in mail.reading.links}
    if "form" in kinds or "<form" in source:
        yield Found("HTML_FORM")
    if "<input" in source and _PASSWORD.search(source):
        yield Found("HTML_FORM_PASSWORD")
    if "<script" in source:
        yield Found("HTML_SCRIPT")
    if "refresh" in kinds:
        yield Found("HTML_META_REFRESH")
    if "&#" in source and _NUMBERS.search(source):
        yield Found("HTML_OBFUSCATED")
    if "<!--" in source:
        cut = sum(1 for _ in _CUT.finditer(source))
        if cut > 2:
            yield Found("HTML_COMMENTS_IN_WORDS", f"{cut} words")


RULES = (letters, words, hidden, pictures, markup)
