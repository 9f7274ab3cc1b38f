"""systemd's notification socket (sd_notify(3)): READY, RELOADING, STOPPING. Silent without one."""

import os
import socket
import time


def sd_notify(state: str) -> None:
    """Sends `state`, such as "READY=1", to $NOTIFY_SOCKET."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if state.startswith("RELOADING"):
        state += f"\nMONOTONIC_USEC={time.monotonic_ns() // 1000}"
    name = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        try:
            notify.connect(name)
            notify.sendall(state.encode())
        except OSError:
            pass  # a supervisor that is gone is no reason to stop
