"""What is known of domain names by themselves: whose they are, and what kind of site stands there.

Pure. The domain that somebody registered is found by the second level that registries keep for
themselves (`co.uk`) and by the sites that give names to anybody (`github.io`), not by the whole
list of public suffixes: a wrong guess makes two owners of one or one of two, in a score only.
"""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Final


def words(text: str) -> frozenset[str]:
    """The words of a list, for tables of names."""
    return frozenset(text.split())


_SECOND: Final = words(
    "ac asn asso biz co com coop ed edu fin firm gen go gob gouv gov govt gv id idv ind inf info"
    " int k12 ltd med me mil mobi muni name ne net ngo nhs nic nom or org per perso plc police"
    " pp pri priv pro press res sch school sci tm tur tv web"
)
# Registered by somebody though they look like a registry's.
_OWNED: Final = frozenset({"me.com", "co.com", "go.com", "web.de", "info.de", "com.de", "tv.de"})
_GIVEN: Final = words(
    "000webhostapp.com amplifyapp.com appspot.com azureedge.net azurewebsites.net blogspot.com"
    " cloudapp.net cloudfront.net duckdns.org firebaseapp.com fly.dev github.io gitlab.io"
    " glitch.me herokuapp.com hopto.org myftp.biz myshopify.com netlify.app ngrok.io no-ip.org"
    " onrender.com pages.dev r2.dev repl.co surge.sh sytes.net translate.goog typepad.com"
    " vercel.app web.app webflow.io weebly.com wixsite.com wordpress.com workers.dev"
    " zapto.org"
)
FREEMAIL: Final = words(
    "126.com 139.com 163.com abv.bg aim.com aliyun.com aol.com arcor.de att.net bellsouth.net"
    " bigpond.com bk.ru bluewin.ch btinternet.com centrum.cz charter.net comcast.net cox.net"
    " daum.net earthlink.net email.cz email.com fastmail.com fastmail.fm foxmail.com free.fr"
    " freenet.de gmail.com gmx.at gmx.ch gmx.com gmx.de gmx.net googlemail.com hanmail.net"
    " hotmail.co.uk hotmail.com hotmail.de hotmail.es hotmail.fr hotmail.it hushmail.com i.ua"
    " icloud.com in.com inbox.com inbox.lv inbox.ru interia.pl juno.com laposte.net libero.it"
    " list.ru live.co.uk live.com live.fr live.nl lycos.com mac.com mail.bg mail.com mail.ee"
    " mail.ru mailbox.org me.com msn.com naver.com netscape.net netzero.net o2.pl onet.pl op.pl"
    " orange.fr outlook.com outlook.de outlook.fr posteo.de pm.me proton.me protonmail.ch"
    " protonmail.com qq.com rambler.ru rediffmail.com rocketmail.com sbcglobal.net seznam.cz"
    " sfr.fr shaw.ca sina.com sohu.com sympatico.ca t-online.de terra.com.br tiscali.it"
    " tuta.io tutanota.com ukr.net uol.com.br usa.net verizon.net virgilio.it wanadoo.fr web.de"
    " wp.pl ya.ru yahoo.ca yahoo.co.in yahoo.co.jp yahoo.co.uk yahoo.com yahoo.com.br yahoo.de"
    " yahoo.es yahoo.fr yahoo.it yandex.com yandex.ru yeah.net ymail.com zoho.com"
)
SHORTENERS: Final = words(
    "adf.ly bit.do bit.ly bitly.com bl.ink buff.ly cutt.ly dlvr.it g.co goo.gl is.gd j.mp"
    " lnkd.in ow.ly qr.ae rb.gy rebrand.ly s.id short.io shorturl.at snip.ly soo.gd t.cn t.co"
    " t.ly t2m.io tiny.cc tiny.one tinyurl.com tr.im trib.al u.to url.ie urlz.fr v.gd v.ht vk.cc"
    " wp.me x.co y2u.be yourls.org"
)
SUSPICIOUS_TLDS: Final = words(
    "bar bid buzz cam cf cfd click country cyou date download fit ga gdn gq icu kim link loan men"
    " ml monster mov party pw quest racing rest review rip sbs science stream surf tk top trade"
    " vip wang win work xin xyz yachts zip"
)
# Whose name letters swindlers write under; the label in front of the public part.
BRANDS: Final = words(
    "adobe alibaba amazon americanexpress apple bankofamerica barclays binance blockchain booking"
    " chase citibank coinbase commerzbank deutschebank dhl docusign dropbox ebay facebook fedex"
    " github gmail google hermes hsbc icloud instagram linkedin lloydsbank mastercard metamask"
    " microsoft netflix office365 onedrive outlook paypal postbank postfinance santander"
    " sparkasse spotify steamcommunity telekom twitter usps volksbank wellsfargo westernunion"
    " whatsapp yahoo zalando"
)
_LABELS: Final = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})+")


@lru_cache(maxsize=4096)
def registered(domain: str) -> str:
    """The domain that its owner registered, of A-labels in lower case; itself when too short."""
    labels = domain.split(".")
    if len(labels) <= 2:
        return domain
    pair = ".".join(labels[-2:])
    public = pair in _GIVEN or (
        len(labels[-1]) == 2 and labels[-2] in _SECOND and pair not in _OWNED
    )
    return ".".join(labels[-3:]) if public else pair


def owner_label(domain: str) -> str:
    """The label that its owner chose: `paypal` of `www.paypal.co.uk`."""
    return registered(domain).partition(".")[0]


def is_domain(name: str) -> bool:
    """A name of two labels or more that DNS can hold and that is no address."""
    return (
        len(name) <= 253
        and _LABELS.fullmatch(name) is not None
        and not name.rpartition(".")[2].isdigit()
    )


def numeric_host(host: str) -> tuple[str, bool] | None:
    """The address that a host stands for and whether its notation hides that (`0x7f.1`,
    `2130706433`); None for a name.
    """
    if host.startswith("["):
        try:
            return str(IPv6Address(host[1:-1])), False
        except ValueError:
            return None
    if not host or host[0] not in "0123456789":
        return None
    parts = host.removesuffix(".").split(".")
    if len(parts) > 4:
        return None
    numbers = [_number(part) for part in parts]
    if any(number is None for number in numbers):
        return None
    *front, last = (number or 0 for number in numbers)
    if any(number > 255 for number in front) or last >= 256 ** (4 - len(front)):
        return None
    value = last + sum(number << 8 * (3 - at) for at, number in enumerate(front))
    address = str(IPv4Address(value))
    return address, address != host.removesuffix(".")


def _number(text: str) -> int | None:
    """A part of an address as browsers take it; None for none. At most 12 characters are read."""
    if not text or len(text) > 12 or not text.isascii():
        return None
    try:
        if text[:2] in ("0x", "0X"):
            return int(text[2:] or "0", 16)
        return int(text, 8 if text[0] == "0" and len(text) > 1 else 10)
    except ValueError:
        return None
