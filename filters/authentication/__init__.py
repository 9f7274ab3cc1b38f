"""Who a message comes from: SPF, DKIM, ARC, DMARC as filters, and their results as values."""
