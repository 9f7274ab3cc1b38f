"""Pure SASL exchanges: bytes in, values and challenges out."""
