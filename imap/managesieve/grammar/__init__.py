"""Pure grammar of ManageSieve: bytes in and values out, values in and bytes out."""
