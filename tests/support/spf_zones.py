"""Random SPF records with the zone around them, from a seed, to compare evaluators.

Most terms are right, some are broken; names lead to each other, to nothing and to failing servers.
"""

from dataclasses import dataclass, field
from ipaddress import ip_address
from random import Random

ADDRESSES = ("192.0.2.1", "192.0.2.2", "198.51.100.7", "2001:db8::1", "2001:db8:5::9")
FAILING = "fails.test"
DOMAINS = tuple(f"d{number}.test" for number in range(8))
HOSTS = tuple(f"h{number}.d{number % 3}.test" for number in range(6))
LOCALS = ("ada", "strong-bad", "a.b-c+d", "x=y_z", "Ada!#$")
NAMES = (*DOMAINS, *HOSTS, "void1.test", "void2.test", "void3.test")
LITERALS = ("a", "b-", "x_y", "spf", "10", "/", "..")
KINDS = ("ip4", "ip6", "a", "a", "mx", "mx", "ptr", "include", "exists", "unknown")
Records = dict[str, list[str]]


@dataclass
class SpfZone:
    """A question and all that DNS knows; names without records don't exist."""

    address: str
    helo: str
    local: str
    domain: str
    records: dict[str, Records] = field(default_factory=dict)

    @property
    def reverse(self) -> str:
        """Where the PTR records of the address stand."""
        return ip_address(self.address).reverse_pointer

    def text(self) -> str:
        """All TXT records in one, to look for what explains a difference."""
        return "\n".join(text for kinds in self.records.values() for text in kinds.get("TXT", []))


def random_zone(seed: int) -> SpfZone:
    """The same for the same seed."""
    chance = Random(seed)
    zone = SpfZone(
        address=chance.choice(ADDRESSES),
        helo=chance.choice((*HOSTS, "helo", "[192.0.2.1]")),
        local=chance.choice(LOCALS),
        domain=chance.choice(DOMAINS[:4]),
    )
    for domain in DOMAINS:
        kinds = zone.records.setdefault(domain, {})
        if chance.random() < 0.85:
            kinds["TXT"] = [_record(chance)]
            if chance.random() < 0.03:
                kinds["TXT"].append("v=spf1 -all")
        if chance.random() < 0.7:
            hosts = chance.sample(NAMES, chance.choice((1, 1, 2, 3)))
            kinds["MX"] = [f"{10 * at} {host}" for at, host in enumerate(hosts, 1)]
    for host in (*HOSTS, *DOMAINS[:3]):
        _addresses(chance, zone.records.setdefault(host, {}))
    zone.records["exp.test"] = {"TXT": [_explanation(chance)]}
    if chance.random() < 0.7:
        names = chance.sample(HOSTS + DOMAINS, chance.choice((1, 2, 4)))
        zone.records[zone.reverse] = {"PTR": names}
    return zone


def _addresses(chance: Random, kinds: Records) -> None:
    four = [one for one in ADDRESSES if ":" not in one and chance.random() < 0.3]
    six = [one for one in ADDRESSES if ":" in one and chance.random() < 0.3]
    kinds |= {kind: found for kind, found in (("A", four), ("AAAA", six)) if found}


def _record(chance: Random) -> str:
    terms = [_term(chance) for _ in range(chance.choice((0, 1, 2, 3, 3, 4, 5, 7, 12)))]
    if chance.random() < 0.6:
        terms.append(chance.choice("+-~?-") + "all")
    elif chance.random() < 0.5:
        terms.append(f"redirect={_domain_spec(chance)}")
    if chance.random() < 0.4:
        terms.insert(chance.randint(0, len(terms)), "exp=exp.test")
    if terms and chance.random() < 0.15:
        at = chance.randrange(len(terms))
        terms[at] = _broken(chance, terms[at])
    spaces = " " if chance.random() < 0.9 else "  "
    return spaces.join([chance.choice(("v=spf1", "v=spf1", "V=SPF1")), *terms])


def _term(chance: Random) -> str:
    sign = chance.choice(("", "", "+", "-", "~", "?"))
    kind = chance.choice(
        ("ip4", "ip6", "a", "a", "mx", "mx", "ptr", "include", "exists", "unknown")
    )
    if kind == "ip4":
        address = chance.choice(("192.0.2.0", "192.0.2.1", "198.51.100.7", "10.0.0.0"))
        return f"{sign}ip4:{address}{chance.choice(('', '/24', '/32', '/0', '/31', '/30'))}"
    if kind == "ip6":
        address = chance.choice(("2001:db8::", "2001:db8::1", "2001:DB8:5::", "::ffff:192.0.2.1"))
        return f"{sign}ip6:{address}{chance.choice(('', '/64', '/128', '/0', '/33', '/32'))}"
    if kind in ("a", "mx"):
        spec = "" if chance.random() < 0.4 else f":{_domain_spec(chance)}"
        return f"{sign}{kind}{spec}{_lengths(chance)}"
    if kind == "ptr":
        return f"{sign}ptr" + ("" if chance.random() < 0.5 else f":{_domain_spec(chance)}")
    if kind == "unknown":
        return (
            f"{chance.choice(('mod', 'x.y-z_1', 'Foo'))}={chance.choice(LITERALS)}{_macro(chance)}"
        )
    return f"{sign}{kind}:{_domain_spec(chance)}"


def _lengths(chance: Random) -> str:
    four = chance.choice(("", "", "", "/24", "/31", "/0"))
    return four + chance.choice(("", "", "", "//64", "//128", "//0"))


def _domain_spec(chance: Random) -> str:
    if chance.random() < 0.75:
        name = chance.choice(NAMES) if chance.random() < 0.95 else FAILING
        return name + ("." if chance.random() < 0.1 else "")
    if chance.random() < 0.5:
        return chance.choice(("%{d}", "%{o}", "%{d2}", "%{h}", "%{D}", "%{p}"))
    return (
        f"{_macro(chance)}.{chance.choice(LITERALS[:5])}.{chance.choice(('test', '%{d}', '%{o2}'))}"
    )


def _macro(chance: Random) -> str:
    letter = chance.choice("slodiphvSLO")
    keep = chance.choice(("", "", "1", "2", "3", "99"))
    reverse = chance.choice(("", "", "r"))
    delimiters = chance.choice(("", "", "-", "+-", ".-_=")) if letter in "slSL" else ""
    return chance.choice((f"%{{{letter}{keep}{reverse}{delimiters}}}",) * 6 + ("%%", "%_", "%-"))


def _explanation(chance: Random) -> str:
    words = ["see", "http://why.test/?s=%{S}&ip=%{C}", "%{r}", "%{i}", "%{p}", "%{d}", "%{h}"]
    said = [chance.choice((*words, _macro(chance))) for _ in range(chance.choice((1, 2, 4)))]
    return " ".join(said)


def _broken(chance: Random, term: str) -> str:
    at = chance.randint(0, len(term))
    how = chance.choice(("drop", "add", "change"))
    if how == "drop":
        return term[:at] + term[at + 1 :]
    odd = chance.choice("=:/%.-{}+~?0a1 ")
    return term[:at] + odd + term[at + (how == "change") :]
