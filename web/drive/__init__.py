"""Signed links and the drive of REST over HTTP; what they do is filters/drive/."""
