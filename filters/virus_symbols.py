"""Names of what virus scanning finds, as the log, the score and the quarantine have them."""

INFECTED = "CLAM_VIRUS"
UNSCANNED = "CLAM_VIRUS_FAIL"
