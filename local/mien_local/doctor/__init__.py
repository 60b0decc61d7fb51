"""`mien doctor`: says what is missing or broken and how to mend it, and changes nothing.

Nothing here imports more than the standard library before a check needs it: it must work where nothing else does.
"""
