"""A small authoritative DNS server on loopback, UDP and TCP, for tests.

Records are text: `server.set("example.org", "MX", "10 mx.example.org.")`. Names without records are
NXDOMAIN. Names in `failing` answer SERVFAIL, those in `silent` not at all; long answers are
truncated over UDP, so that clients come again over TCP. `asked` keeps every question. Names in
`secure` have the AD bit in their answers, as from a resolver that validates, when it was asked for.
Absent names and data may be kept for `negative_ttl` seconds.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from config.fields import Endpoint

UDP_MAX = 512


class DnsServer(asyncio.DatagramProtocol):
    """Serves until closed; see `dns_server`."""

    def __init__(self) -> None:
        self.records: dict[dns.name.Name, dict[dns.rdatatype.RdataType, dns.rrset.RRset]] = {}
        self.failing: set[str] = set()
        self.silent: set[str] = set()
        self.secure: set[str] = set()
        self.negative_ttl = 0
        self.asked: list[tuple[str, str, str]] = []
        self.recursive = True
        self.endpoint = Endpoint(host="127.0.0.1", port=0)
        self._transport: asyncio.DatagramTransport | None = None
        self._server: asyncio.Server | None = None

    def set(self, name: str, kind: str, *texts: str, ttl: int = 60) -> None:
        """The records of one type at a name, replacing earlier ones."""
        owner, rdtype = dns.name.from_text(name), dns.rdatatype.from_text(kind)
        rrset = dns.rrset.from_text_list(owner, ttl, dns.rdataclass.IN, rdtype, list(texts))
        self.records.setdefault(owner, {})[rdtype] = rrset

    def mail_domain(self, domain: str, *hosts: tuple[int, str, str]) -> None:
        """MX records (preference, host name, IPv4 address) and the hosts' addresses."""
        self.set(domain, "MX", *(f"{preference} {host}." for preference, host, _ in hosts))
        for _, host, address in hosts:
            self.set(host, "A", address)

    async def start(self, port: int = 0) -> None:
        """Binds UDP and TCP on one port, a free one unless told."""
        loop = asyncio.get_running_loop()
        stream, datagrams = port_of_both(port)
        self._server = await asyncio.start_server(self._stream, sock=stream)
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=datagrams)
        self.endpoint = Endpoint(host="127.0.0.1", port=stream.getsockname()[1])

    async def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._answer(data, "udp")
        if answer is not None and self._transport is not None:
            wire = answer.to_wire(max_size=65535)
            if len(wire) > UDP_MAX:
                answer.flags |= dns.flags.TC
                answer.answer.clear()
                wire = answer.to_wire()
            self._transport.sendto(wire, addr)

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                answer = self._answer(await reader.readexactly(length), "tcp")
                if answer is None:
                    break
                wire = answer.to_wire(max_size=65535)
                writer.write(struct.pack("!H", len(wire)) + wire)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, data: bytes, transport: str) -> dns.message.Message | None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        self.asked.append((name, dns.rdatatype.to_text(question.rdtype), transport))
        if name in self.silent:
            return None
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA | dns.flags.RA
        if name in self.failing:
            answer.set_rcode(dns.rcode.SERVFAIL)
        else:
            self._fill(answer, question.name, question.rdtype)
            if name in self.secure and (
                query.flags & dns.flags.AD or query.ednsflags & dns.flags.DO
            ):
                answer.flags |= dns.flags.AD
            if not answer.answer and self.negative_ttl:
                answer.authority.append(self._soa())
        return answer

    def _soa(self) -> dns.rrset.RRset:
        text = f"ns. postmaster. 1 3600 600 86400 {self.negative_ttl}"
        return dns.rrset.from_text(".", 3600, "IN", "SOA", text)

    def _fill(
        self, answer: dns.message.Message, name: dns.name.Name, kind: dns.rdatatype.RdataType
    ) -> None:
        if name not in self.records:
            answer.set_rcode(dns.rcode.NXDOMAIN)
            return
        for _ in range(20):
            found = self.records.get(name, {})
            if kind in found:
                answer.answer.append(found[kind])
                return
            alias = found.get(dns.rdatatype.CNAME)
            if alias is None:
                return
            answer.answer.append(alias)
            if not self.recursive:
                return
            name = alias[0].target


def port_of_both(port: int = 0) -> tuple[socket.socket, socket.socket]:
    """A socket for TCP and one for UDP, bound to one port of loopback that is free for both."""
    for _ in range(20):
        stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stream.bind(("127.0.0.1", port))
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            datagrams.bind(stream.getsockname())
        except OSError:
            stream.close()
            datagrams.close()
        else:
            return stream, datagrams
    raise AssertionError("no port is free for TCP and UDP")


@asynccontextmanager
async def dns_server() -> AsyncIterator[DnsServer]:
    """A running server, closed at the end."""
    server = DnsServer()
    await server.start()
    try:
        yield server
    finally:
        await server.close()
