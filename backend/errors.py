"""The one base of every error that is the user's to mend: one line, no traceback, exit status 2."""


class TilewrightError(Exception):
    """A user's error: the message says what was found, what was wanted, where, and what to do."""
