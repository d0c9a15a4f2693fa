"""What an import reports: items, and why it was refused."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from payments.domain.entries import JSON
from payments.errors import PaymentsError

TAKEN, HERE, LEFT, CONFLICT, NOTE = "take over", "is here", "leave", "conflict", "note"


class Item(NamedTuple):
    """What happens to one thing that was found.

    Attributes:
        what: ``orchestrator``, ``balance``, ``session``, ``power``, or a file's name.
        id: of the thing, within its kind.
        action: ``take over``; ``is here`` (it exists already, and is left alone); ``leave`` (not taken over);
            ``conflict`` (it exists or is taken over, but differs from the one there); ``note``.
        detail: why, and what to do, for people.
        facts: the figures in ``detail``, for programs.
    """

    what: str
    id: str
    action: str
    detail: str
    facts: Mapping[str, JSON] = {}

    def as_json(self) -> dict[str, JSON]:
        """The item as a JSON object."""
        return {"what": self.what, "id": self.id, "action": self.action, "detail": self.detail, **self.facts}


class ImportRefused(PaymentsError):
    """The files cannot be taken over as they are; nothing was written. One line per problem."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(["PAY-O11 nothing is imported until this is fixed:", *problems]))
        self.problems = problems
