"""OpenLDAP's slapd on loopback, with a folder of its own and TLS; ldapmodify changes its entries.

Its people have `mail`, further addresses in `mailAlternateAddress`, `mailQuota` and `mailEnabled`.
"""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import trustme

from tests.support.programs import SYSTEM_PATH, need
from tests.support.run import free_port
from tests.support.unbound import answers

BASE = "dc=example,dc=test"
READER = f"cn=reader,{BASE}"
READER_PASSWORD = "reads much"
ADMIN = f"cn=admin,{BASE}"
GROUP = f"cn=postmasters,ou=groups,{BASE}"
_SCHEMA = """\
attributetype ( 1.3.6.1.4.1.4203.666.1.901 NAME 'mailAlternateAddress'
    EQUALITY caseIgnoreIA5Match SUBSTR caseIgnoreIA5SubstringsMatch
    SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )
attributetype ( 1.3.6.1.4.1.4203.666.1.902 NAME 'mailQuota'
    EQUALITY caseIgnoreIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.4203.666.1.903 NAME 'mailEnabled'
    EQUALITY booleanMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.7 SINGLE-VALUE )
objectclass ( 1.3.6.1.4.1.4203.666.3.901 NAME 'mailUser' SUP top AUXILIARY
    MAY ( mailAlternateAddress $ mailQuota $ mailEnabled ) )
"""
_BEGIN = f"""\
dn: {BASE}
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: ou=people,{BASE}
objectClass: organizationalUnit
ou: people

dn: ou=groups,{BASE}
objectClass: organizationalUnit
ou: groups

dn: {READER}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: {READER_PASSWORD}

dn: {GROUP}
objectClass: groupOfNames
cn: postmasters
member: uid=grace,ou=people,{BASE}
"""


def person_dn(uid: str) -> str:
    return f"uid={uid},ou=people,{BASE}"


class Slapd:
    """A directory; `start` and `kill` as often as a test wants, its entries stay."""

    def __init__(self, folder: Path) -> None:
        need("slapd", "slapadd", "ldapmodify")
        self.folder, self.port, self.tls_port = folder, free_port(), free_port()
        self.ca = folder / "ca.pem"
        self._process: subprocess.Popen[bytes] | None = None
        self._furnish()

    @property
    def uri(self) -> str:
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def tls_uri(self) -> str:
        return f"ldaps://127.0.0.1:{self.tls_port}"

    def _furnish(self) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca)
        issued = authority.issue_cert("127.0.0.1", "localhost")
        issued.cert_chain_pems[0].write_to_path(self.folder / "cert.pem")
        issued.private_key_pem.write_to_path(self.folder / "key.pem")
        (self.folder / "mail.schema").write_text(_SCHEMA)
        (self.folder / "db").mkdir()
        schemas = [
            f"/etc/ldap/schema/{name}.schema" for name in ("core", "cosine", "inetorgperson")
        ]
        lines = [
            *(f"include {schema}" for schema in (*schemas, self.folder / "mail.schema")),
            "modulepath /usr/lib/ldap",
            "moduleload back_mdb",
            f"pidfile {self.folder / 'slapd.pid'}",
            f"TLSCACertificateFile {self.ca}",
            f"TLSCertificateFile {self.folder / 'cert.pem'}",
            f"TLSCertificateKeyFile {self.folder / 'key.pem'}",
            "database mdb",
            f"suffix {BASE}",
            f"rootdn {ADMIN}",
            "rootpw secret",
            f"directory {self.folder / 'db'}",
            "dbnosync",
            "index objectClass,mail,mailAlternateAddress,uid eq",
            f'access to attrs=userPassword by dn.exact="{READER}" read by anonymous auth by * none',
            "access to * by users read by anonymous auth by * none",
        ]
        (self.folder / "slapd.conf").write_text("\n".join([*lines, ""]))
        self._run("slapadd", "-f", str(self.folder / "slapd.conf"), stdin=_BEGIN)

    def start(self) -> None:
        with (self.folder / "slapd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *("slapd", "-d", "0", "-f", str(self.folder / "slapd.conf")),
                    *("-h", f"{self.uri}/ {self.tls_uri}/"),
                ],
                env={"PATH": SYSTEM_PATH},
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        assert answers(self._process, self.port), (self.folder / "slapd.log").read_text()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def add(
        self, uid: str, password: str, mail: str | None = None, cn: str = "", **attributes: str
    ) -> str:
        """A person; the DN."""
        lines = [
            f"dn: {person_dn(uid)}",
            "changetype: add",
            "objectClass: inetOrgPerson",
            "objectClass: mailUser",
            f"uid: {uid}",
            f"cn: {cn or uid}",
            f"sn: {uid}",
            f"mail: {mail or f'{uid}@example.test'}",
            f"userPassword: {password}",
            *(f"{name}: {value}" for name, value in attributes.items()),
        ]
        self.change("\n".join(lines))
        return person_dn(uid)

    def set(self, uid: str, attribute: str, value: str) -> None:
        """Replaces what an attribute has."""
        self.change(
            f"dn: {person_dn(uid)}\nchangetype: modify\nreplace: {attribute}\n{attribute}: {value}"
        )

    def delete(self, uid: str) -> None:
        self.change(f"dn: {person_dn(uid)}\nchangetype: delete")

    def change(self, ldif: str) -> None:
        self._run(
            "ldapmodify", "-x", "-H", self.uri, "-D", ADMIN, "-w", "secret", stdin=f"{ldif}\n"
        )

    def _run(self, *command: str, stdin: str) -> None:
        done = subprocess.run(
            command,
            input=stdin,
            text=True,
            capture_output=True,
            env={"PATH": SYSTEM_PATH},
            timeout=20,
            check=False,
        )
        assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"


@contextlib.contextmanager
def slapd(folder: Path) -> Iterator[Slapd]:
    """A running directory."""
    made = Slapd(folder)
    made.start()
    try:
        yield made
    finally:
        made.kill()
