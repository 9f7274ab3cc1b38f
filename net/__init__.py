"""Sockets, TLS, DNS, limits and the one way into a thread."""
