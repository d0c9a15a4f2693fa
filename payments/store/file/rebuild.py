"""Rebuilding the state from a long journal, decoding no more of it than decides the state.

Every entry carries results: the session after it, the power state, the balance. So of the lines about one session only
the last decides what that session is, of the readings of one orchestrator only the last, and of those with one balance
only the last decides the balance; the others are checked, as every line is, for checksum, chain and ``seq``, and not
decoded.
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

# As the encoder writes them. Quotation marks within a string are escaped, so none of these can be a part of one.
ORCHESTRATOR, _AMOUNT, _METADATA = b'"orchestrator_id":', b',"amount":', b',"metadata":'
_VERSION, _PREV = b',"v":1,"durable":', b',"prev":"'


class Rebuild:
    """Folds lines into ``state``, leaving out those that later ones supersede.

    ``settle`` must be called behind the last line; only then does the state show them all, in the right order.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._standing: dict[bytes, tuple[int, bytes]] = {}

    def take(self, lines: Sequence[bytes], position: Position) -> Decoded:
        """Note ``lines``: a ``Decode`` that keeps the entries to itself."""
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
        """Bring the state up to the last line. Raises ``Corrupt`` where a line is sound and yet no entry."""
        self._fold()
        self._state.sort_sessions()

    def _note(self, seq: int, line: bytes) -> None:
        subject, account = keys_of(line)
        # What is about no session or power state stands, whatever it is about.
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
    """What ``line`` decides: which session or power state (as ``subject_of`` has it), and whose balance."""
    metadata = line.find(_METADATA)
    subject = subject_at(line, metadata)
    amount = line.find(_AMOUNT, 0, metadata)
    return (
        subject_of(line, subject) if subject >= 0 else None,
        line[line.find(ORCHESTRATOR) : amount] if amount > 0 else None,
    )


def _is_plain(line: bytes, position: Position) -> bool:
    """Whether ``line`` can stand at ``position`` and is, in what is looked at here, as the encoder writes it."""
    return (
        line.rfind(_VERSION) > 0
        and line.startswith(b'{"seq":%d,' % (position.seq + 1))
        and line[PREV] == position.hash.encode()
        and line.endswith(_PREV, 0, PREV.start)
        and has_valid_checksum(line)
    )
