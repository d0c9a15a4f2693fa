"""What is said of each thing that was found."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from payments.domain.entries import JSON
from payments.errors import PaymentsError

TAKEN, HERE, LEFT, CONFLICT, NOTE = "take over", "is here", "leave", "conflict", "note"


class Item(NamedTuple):
    """What becomes of one thing.

    Attributes:
        what: ``orchestrator``, ``balance``, ``session``, ``power``, or a file's name.
        id: of the thing, within its kind.
        action: ``take over``; ``is here`` (already, and left alone); ``leave`` (not taken over); ``conflict`` (it is
            here, or taken over, and not as it is there); ``note``.
        detail: why, and what to do, for people; ``facts`` are the figures in it, for programs.
    """

    what: str
    id: str
    action: str
    detail: str
    facts: Mapping[str, JSON] = {}

    def as_json(self) -> dict[str, JSON]:
        """The item as one object."""
        return {"what": self.what, "id": self.id, "action": self.action, "detail": self.detail, **self.facts}


class ImportRefused(PaymentsError):
    """Nothing was written: what was found cannot be taken over as it is. A line per problem."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(["PAY-O11 nothing is imported until this is fixed:", *problems]))
        self.problems = problems
