"""Rebuilding the state from a long journal, decoding no more of it than decides the state.

Every entry carries results: the session after it, the power state, the balance. So of the lines about one session only
the last decides what that session is, of the readings of one orchestrator only the last, and of those with one balance
only the last decides the balance; the others are checked, as every line is, for checksum, chain and ``seq``, and not
decoded.
"""

from payments.domain.state import State, evolve
from payments.errors import Corrupt
from payments.store.file.codec import BadLine, Position, decode_next, decode_to_fold, is_whole, subject_at, subject_of

_STANDING_LINES = 20_000

# As the encoder writes them. Quotation marks within a string are escaped, so none of these can be a part of one.
_ORCHESTRATOR, _AMOUNT, _METADATA = b'"orchestrator_id":', b',"amount":', b',"metadata":'
_VERSION, _PREV = b',"v":1,"durable":', b',"prev":"'
_AFTER_PREV_BYTES = len(b'","crc":"00000000"}\n')
_PREV_BYTES = 64 + _AFTER_PREV_BYTES


class Rebuild:
    """Folds lines into ``state``, leaving out those that later ones supersede.

    ``settle`` must be called behind the last line; only then does the state show them all, in the right order.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._standing: dict[bytes, tuple[int, bytes]] = {}

    def take(self, line: bytes, position: Position) -> tuple[None, Position, int]:
        """Note the line at ``position``: a ``Decode`` that keeps the entry to itself.

        Raises ``BadLine`` and ``UnknownVersion``.
        """
        seq = position.seq + 1
        tail = line.rfind(_VERSION)
        is_plain = (
            tail > 0
            and line.startswith(b'{"seq":%d,' % seq)
            and line[-_PREV_BYTES:-_AFTER_PREV_BYTES] == position.hash.encode()
            and line[-_PREV_BYTES - len(_PREV) : -_PREV_BYTES] == _PREV
            and is_whole(line)
        )
        if is_plain:
            self._note(seq, line)
        else:
            # Says what is wrong with it, or what else it is.
            decode_next(line, position)
            self._standing[b"%d" % seq] = seq, line
        if len(self._standing) > _STANDING_LINES:
            self._fold()
        return None, position.behind(line), 0

    def settle(self) -> None:
        """Bring the state up to the last line. Raises ``Corrupt`` where a line is sound and yet no entry."""
        self._fold()
        self._state.restore_order()

    def _note(self, seq: int, line: bytes) -> None:
        metadata = line.find(_METADATA)
        subject = subject_at(line, metadata)
        # What is about no session or power state stands, whatever it is about.
        key = subject_of(line, subject) if subject >= 0 else b"%d" % seq
        self._standing[key] = seq, line
        amount = line.find(_AMOUNT, 0, metadata)
        if amount > 0:
            self._standing[line[line.find(_ORCHESTRATOR) : amount]] = seq, line

    def _fold(self) -> None:
        for seq, line in sorted(set(self._standing.values())):
            try:
                evolve(self._state, decode_to_fold(line))
            except BadLine as error:
                raise Corrupt(f"the journal's entry with seq {seq} cannot be read: {error}") from error
        self._standing.clear()
