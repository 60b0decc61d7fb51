"""Certificates of erasures: what was deleted of whom, signed, so that nobody has to believe the platform.

`python -m mien_core.certificate verify FILE --key PUBLIC` needs neither the platform nor its database.
"""
