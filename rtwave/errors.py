"""The one error type that rtwave raises for what a user can put right."""


class RtwaveError(Exception):
    """One line for the user: what came, what was expected, what to do."""
