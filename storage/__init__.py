"""The only place with SQL and message files."""
