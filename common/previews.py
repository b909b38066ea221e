"""A decision does exactly what its preview showed, or nothing (docs/rules.md C14)."""


class ConsequencesChanged(ValueError):
    """The consequences are no longer those of the preview, so nothing was done. The message says what to do.

    Args:
        what: What changed since the preview: the registry, or the participants.
    """

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} changed since the consequences were shown, and others would follow by now: nothing was done."
            " Look at the consequences again, then decide."
        )
