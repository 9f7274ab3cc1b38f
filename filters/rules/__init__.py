"""Rules that users write, as values and as the Sieve that they are kept as. Pure."""
