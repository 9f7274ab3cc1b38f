"""The Sieve language (RFC 5228): scripts compiled and evaluated to values. Pure."""
