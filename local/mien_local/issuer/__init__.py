"""A development issuer: what an OIDC provider publishes, and tokens for whoever may read its key's file.

It signs for any user of any tenant, so it listens on the loopback address only, and nothing but `mien up` starts it.
"""
