"""What staff were shown before they decide is what happens, or nothing does (docs/rules.md C14)."""


class ConsequencesChanged(ValueError):
    """Something would come of it that staff have not been shown; the message says what to do.

    `what` has changed meanwhile: the registry, or the participants.
    """

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} changed since the consequences were shown, and others would follow by now: nothing was done."
            " Look at the consequences again, then decide."
        )
