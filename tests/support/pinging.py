"""Sends NOOP over IMAP every 5 ms until a line comes in, then prints the round trips as JSON.

    pinging.py PORT ADDRESS PASSWORD SOURCE

A program of its own, so that what the tests do in their process does not count as the server's.
"""

import json
import select
import socket
import sys
import time
from statistics import median

EVERY = 0.005


def say(peer: socket.socket, line: bytes, tag: bytes) -> bytes:
    """Sends a command and reads up to its tagged answer."""
    peer.sendall(line)
    answer = b""
    while not (answer.endswith(b"\r\n") and answer[:-2].rpartition(b"\n")[2].startswith(tag)):
        got = peer.recv(65536)
        if not got:
            raise SystemExit(f"the server closed the connection: {answer!r}")
        answer += got
    return answer


def main() -> None:
    port, address, password, source = sys.argv[1:]
    peer = socket.create_connection(("127.0.0.1", int(port)), 60, (source, 0))
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    say(peer, f'a LOGIN {address} "{password}"\r\n'.encode(), b"a ")
    print("pinging", flush=True)
    times: list[float] = []
    while not select.select([sys.stdin], [], [], EVERY)[0]:
        began = time.perf_counter()
        say(peer, b"n NOOP\r\n", b"n ")
        times.append((time.perf_counter() - began) * 1000)
    times.sort()
    figures = {"median": median(times), "p99": times[len(times) * 99 // 100], "worst": times[-1]}
    print(json.dumps({"count": len(times), **figures}))


if __name__ == "__main__":
    main()
