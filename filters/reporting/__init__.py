"""Reports to and from other mail operators: DMARC aggregates, SMTP TLS reports."""
