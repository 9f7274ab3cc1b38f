"""What a failed handshake is called in a report (RFC 8460 §4.3)."""

import ssl

from message.tls_rpt import ResultType

# X509_V_ERR_* of OpenSSL's x509_vfy.h, which Python's ssl gives as a number alone.
_EXPIRED = 10
_NOT_YET_VALID = 9
_HOSTNAME_MISMATCH = 62


def failure_of(error: BaseException | None) -> ResultType:
    """The type for an error of the TLS library; None stands for a protocol gone wrong before."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        return ResultType.VALIDATION_FAILURE
    if error.verify_code in (_EXPIRED, _NOT_YET_VALID):
        return ResultType.CERTIFICATE_EXPIRED
    if error.verify_code == _HOSTNAME_MISMATCH:
        return ResultType.CERTIFICATE_HOST_MISMATCH
    return ResultType.CERTIFICATE_NOT_TRUSTED
