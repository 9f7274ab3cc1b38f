"""Sending by JMAP: identities, submissions, vacation responses, Sieve scripts."""
