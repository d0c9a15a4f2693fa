"""Rebuilds the state from a long journal, decoding only the lines that decide it.

Every entry carries results: the session, power state and balance after it. So only the last line about each session,
about each orchestrator's power and about each balance matters. The others are checked for checksum, chain and ``seq``,
but not decoded.
"""

from collections.abc import Sequence

from payments.domain.state import State, evolve
from payments.errors import Corrupt
from payments.store.file.codec import (
    PREV,
    BadLine,
    Decoded,
    Position,
    decode_lines,
    decode_to_fold,
    has_valid_checksum,
    subject_at,
    subject_of,
)

_STANDING_LINES = 20_000

# As the encoder writes them. Quotation marks within a JSON string are escaped, so no string can contain these.
ORCHESTRATOR, _AMOUNT, _METADATA = b'"orchestrator_id":', b',"amount":', b',"metadata":'
_VERSION, _PREV = b',"v":1,"durable":', b',"prev":"'


class Rebuild:
    """Folds lines into ``state``, skipping those that later lines supersede.

    ``settle`` must be called after the last line; only then is the state complete and in the right order.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._standing: dict[bytes, tuple[int, bytes]] = {}

    def note_lines(self, lines: Sequence[bytes], position: Position) -> Decoded:
        """Note ``lines``, the first of which is at ``position``, for folding. A ``Decode`` that returns no entries."""
        error = None
        for line in lines:
            seq = position.seq + 1
            if _is_plain(line, position):
                self._note(seq, line)
            elif (error := decode_lines([line], position).error) is None:
                self._standing[b"%d" % seq] = seq, line
            else:
                break
            position = position.behind(line)
        if len(self._standing) > _STANDING_LINES:
            self._fold()
        return Decoded((), position, 0, error)

    def settle(self) -> None:
        """Fold the remaining lines. Raises ``Corrupt`` if one has a valid checksum but is not an entry."""
        self._fold()
        self._state.sort_sessions()

    def _note(self, seq: int, line: bytes) -> None:
        subject, account = keys_of(line)
        # A line about neither a session nor a power state is never superseded.
        self._standing[subject or b"%d" % seq] = seq, line
        if account is not None:
            self._standing[account] = seq, line

    def _fold(self) -> None:
        for seq, line in sorted(set(self._standing.values())):
            try:
                evolve(self._state, decode_to_fold(line))
            except BadLine as error:
                raise Corrupt(f"PAY-J06 the journal's entry with seq {seq} cannot be read: {error}") from error
        self._standing.clear()


def keys_of(line: bytes) -> tuple[bytes | None, bytes | None]:
    """Keys of what ``line`` decides: the session or power state (see ``subject_of``), and the balance; or ``None``."""
    metadata = line.find(_METADATA)
    subject = subject_at(line, metadata)
    amount = line.find(_AMOUNT, 0, metadata)
    return (
        subject_of(line, subject) if subject >= 0 else None,
        line[line.find(ORCHESTRATOR) : amount] if amount > 0 else None,
    )


def _is_plain(line: bytes, position: Position) -> bool:
    """Whether ``line`` follows ``position`` and has the layout that the encoder writes."""
    return (
        line.rfind(_VERSION) > 0
        and line.startswith(b'{"seq":%d,' % (position.seq + 1))
        and line[PREV] == position.hash.encode()
        and line.endswith(_PREV, 0, PREV.start)
        and has_valid_checksum(line)
    )
