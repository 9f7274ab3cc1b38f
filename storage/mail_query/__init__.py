"""Search and sort over the Emails of an account, for JMAP and REST."""
