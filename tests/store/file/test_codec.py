"""A line has exactly the content of its entry, and no other line is accepted in its place."""

import json
import zlib
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple, replace

from payments.domain.entries import CREDIT, DEBIT, PAYOUT, POWER, POWER_TIME, SESSION, SESSION_TIME, Entry
from payments.domain.money import format_eth
from payments.domain.readings import UNKNOWN, PowerState
from payments.domain.sessions import START, Session
from payments.domain.times import format_time
from payments.store.file.codec import (
    FIRST_HASH,
    BadLine,
    Position,
    UnknownVersion,
    decode,
    decode_lines,
    encode,
    has_valid_checksum,
    line_hash,
)
from tests import audit as audit_of
from tests.audit import audit
from tests.domain.ledger_driver import LedgerDriver
from tests.domain.strategies import entries
from tests.harness import NOON_MS, campaign, journal_path
from tests.store.file.history import AWKWARD, History, lay

HUGE_WEI = 10**48 - 1

BOOK = LedgerDriver()
BOOK.report(START, 0, upstream_addr="2001:db8::1")
BOOK.read(0, UNKNOWN, detail=AWKWARD)
OPEN, UNREAD = BOOK.session(), BOOK.power()
CLOSED = replace(
    OPEN,
    session_id=AWKWARD, incarnation=7, opened_seq=2**53, orchestrator_id="orch-ä", upstream_port=65535,
    edge_id='"quoted"\\', streamer_id="\U0001f3ae\x7f\u2028", status="ended", last_billed_at_ms=NOON_MS + 1,
    ended_at_ms=NOON_MS + 1, end_reason="timeout", billed_ms=2**53, billed_wei=HUGE_WEI, remainder=59_999,
    last_credited_wei=1, unbilled_ms={"gap": 1, "expired": 2}, heartbeat_count=3, seq=0, event_id="",
    event_digest="0" * 32,
)  # fmt: skip
AWAKE = replace(
    UNREAD,
    orchestrator_id="orch-ä", state="awake", detail=None, read_at_ms=NOON_MS + 4, awake_from_ms=NOON_MS + 1,
    awake_until_ms=NOON_MS + 5, metered_from_ms=NOON_MS + 2, metered_to_ms=2**53, billed_ms=2**53, billed_wei=HUGE_WEI,
    remainder=59_999, last_credited_wei=HUGE_WEI - 1, no_credit=None, unbilled_ms={"gap": 1, "unknown": 2},
)  # fmt: skip

POWER_ROW: list[Any] = [str(value) if isinstance(value, int) and value > 2**63 else value for value in astuple(AWAKE)]
"""``AWAKE`` as written in a line."""

ENTRIES = [
    pytest.param(Entry(1, NOON_MS, SESSION, "session_opened", None, None, None, {}, OPEN), id="a session opens"),
    pytest.param(
        Entry(2**53, 0, CREDIT, SESSION_TIME, "orch-ä", HUGE_WEI, HUGE_WEI, {"a": [1, None, True, {"b": "c"}]}, CLOSED),
        id="a credit with everything set",
    ),
    pytest.param(Entry(3, NOON_MS + 999, DEBIT, PAYOUT, "o", -1, -2, {"tx": "0x0"}, None), id="a debit"),
    pytest.param(Entry(4, NOON_MS, CREDIT, SESSION_TIME, "o", 0, 0, {}, OPEN), id="a credit of nothing"),
    pytest.param(Entry(5, NOON_MS, POWER, "power_read", "orch-a", None, None, {}, None, UNREAD), id="a reading"),
    pytest.param(
        Entry(6, NOON_MS, CREDIT, POWER_TIME, "orch-ä", HUGE_WEI, HUGE_WEI, {"delta_ms": 1}, None, AWAKE),
        id="a credit for power",
    ),
]

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


def line_of(record: dict[str, Any]) -> bytes:
    """``record`` as a line with a valid checksum, made without the codec."""
    body = json.dumps(record, separators=(",", ":")).encode()[:-1]
    return body + f',"crc":"{zlib.crc32(body):08x}"}}\n'.encode()


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_line_is_read_as_the_entry_that_was_written(entry: Entry) -> None:
    assert decode(encode(entry, 17, FIRST_HASH)) == (entry, 17)


@pytest.mark.parametrize(("kind", "attributes"), [(Session, audit_of.SESSION), (PowerState, audit_of.POWER)])
def test_an_array_is_in_the_order_of_the_specification(kind: type[msgspec.Struct], attributes: tuple[str, ...]) -> None:
    assert kind.__struct_fields__ == attributes


@given(entries())
@campaign(100)
def test_any_entry_is_read_as_it_was_written(entry: Entry) -> None:
    assert decode(encode(entry, 0, FIRST_HASH)) == (entry, 0)


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_line_says_in_plain_json_what_the_specification_promises(entry: Entry) -> None:
    line = encode(entry, 17, "f" * 64)
    record = json.loads(line)
    assert list(record)[-4:] == ["v", "durable", "prev", "crc"]
    money = {name: record.get(name) for name in ("amount", "delta", "balance")}
    if entry.delta_wei is None or entry.balance_wei is None:
        assert money == {"amount": None, "delta": None, "balance": None}
    else:
        delta, balance = format_eth(entry.delta_wei), format_eth(entry.balance_wei)
        assert money == {"amount": format_eth(abs(entry.delta_wei)), "delta": delta, "balance": balance}
    assert [record[name] for name in ("seq", "timestamp", "event", "reason", "orchestrator_id", "metadata")] == [
        entry.seq, format_time(entry.timestamp_ms), entry.event, entry.reason, entry.orchestrator_id, entry.metadata
    ]  # fmt: skip
    assert [record[name] for name in ("v", "durable", "prev")] == [1, 17, "f" * 64]
    body, _, _ = line.rpartition(b',"crc":')
    assert record["crc"] == f"{zlib.crc32(body):08x}"


@campaign(100)
@given(TEXTS, TEXTS, st.dictionaries(TEXTS, TEXTS, max_size=3))
def test_no_text_breaks_a_line(session_id: str, reason: str, metadata: dict[str, str]) -> None:
    session = replace(OPEN, session_id=session_id)
    entry = Entry(1, NOON_MS, SESSION, reason, None, None, None, metadata, session)
    line = encode(entry, 0, FIRST_HASH)
    assert decode(line) == (entry, 0)
    assert line.index(b"\n") == len(line) - 1
    assert b"\0" not in line


@pytest.mark.parametrize("at_once", [1, 3, 100])
def test_a_line_continues_the_one_before_it(at_once: int, history: History) -> None:
    position, before = Position(), 0
    for begin in range(0, len(history.lines), at_once):
        lines = history.lines[begin : begin + at_once]
        entries, position, durable, error = decode_lines(lines, position)
        assert error is None
        number = before + len(lines)
        offset = len(b"".join(history.lines[:number]))
        assert [entry.seq for entry in entries] == list(range(before + 1, number + 1))
        assert (position, durable) == (Position(number, offset, sha256(lines[-1]).hexdigest()), number - 1)
        before = number


def test_lines_are_read_up_to_the_first_that_is_wrong(history: History) -> None:
    first, second, third = history.lines[:3]
    entries, position, durable, error = decode_lines([first, second, third[:-2], third], Position())
    assert [entry.seq for entry in entries] == [1, 2]
    assert (position, durable) == (Position(2, len(first + second), line_hash(second)), 1)
    assert isinstance(error, BadLine)


def test_a_flipped_bit_ends_what_is_read_at_its_own_line(history: History) -> None:
    """A line followed by others is verified by its hash instead of its checksum."""
    first, second, third = history.lines[:3]
    for bit in range(8 * len(second)):
        flipped = bytearray(second)
        flipped[bit // 8] ^= 1 << bit % 8
        _, position, _, error = decode_lines([first, bytes(flipped), third], Position())
        assert (position.seq, str(error)) == (1, "its checksum does not fit its content"), f"bit {bit}"


def test_an_auditor_that_knows_only_the_specification_agrees(history: History, tmp_path: Path) -> None:
    lay(tmp_path, history.journal)
    entries, balances = audit(journal_path(tmp_path))
    seq, _, known, _ = history.facts[-1]
    assert len(entries) == seq
    assert {name: Decimal(format_eth(balance.balance_wei)) for name, balance in known.items()} == balances


@pytest.mark.parametrize("number", [1, 5, 11, 16])
def test_any_flipped_bit_is_noticed(number: int, history: History) -> None:
    line = bytearray(history.lines[number - 1])
    for bit in range(8 * len(line)):
        line[bit // 8] ^= 1 << bit % 8
        assert not has_valid_checksum(bytes(line)), f"bit {bit}"
        line[bit // 8] ^= 1 << bit % 8
    assert has_valid_checksum(bytes(line))


def test_the_checksum_in_capitals_is_another_line(history: History) -> None:
    line = next(line for line in history.lines if line[-11:-3] != line[-11:-3].upper())
    capitals = line[:-11] + line[-11:].upper()
    assert int(capitals[-11:-3], 16) == int(line[-11:-3], 16)
    with pytest.raises(BadLine, match="checksum"):
        decode(capitals)


@pytest.mark.parametrize("cut", [0, 1, 18, 19, 20, 100, -2, -1])
def test_part_of_a_line_is_no_line(cut: int, history: History) -> None:
    with pytest.raises(BadLine):
        decode(history.lines[0][:cut])


def test_a_line_out_of_its_place_is_refused(history: History) -> None:
    first, second = history.lines[:2]
    for position, complaint in (
        (Position(), "does not continue the chain"),
        (Position(2, len(first), line_hash(first)), "it has seq 2 where 3 must stand"),
    ):
        entries, reached, _, error = decode_lines([second], position)
        assert (list(entries), reached) == ([], position)
        assert isinstance(error, BadLine)
        assert complaint in str(error)


@pytest.mark.parametrize("version", [0, 2, 10**9, "1", None])
def test_an_unknown_version_asks_for_an_upgrade(version: object, history: History) -> None:
    record = json.loads(history.lines[0])
    del record["crc"]
    with pytest.raises(UnknownVersion, match=f"format version {version} is not known here; .* upgrade first"):
        decode(line_of({**record, "v": version}))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"v": ...}, id="no version"),
        pytest.param({"seq": ...}, id="no seq"),
        pytest.param({"durable": ...}, id="no durable"),
        pytest.param({"timestamp": "yesterday"}, id="no time"),
        pytest.param({"delta": "one", "balance": "1"}, id="an amount in words"),
        pytest.param({"session": []}, id="an empty session"),
        pytest.param({"session": dict(enumerate(POWER_ROW))}, id="a session that is an object"),
        pytest.param({"session": "s-1"}, id="a session that is a text"),
        pytest.param({"power": []}, id="an empty power state"),
        pytest.param({"power": POWER_ROW[:-1]}, id="a power state that lacks its last attribute"),
        pytest.param({"power": [*POWER_ROW, 0]}, id="a power state with one attribute more"),
        pytest.param({"power": [*POWER_ROW[:10], 1, *POWER_ROW[11:]]}, id="an amount that is a number"),
        pytest.param({"power": "awake"}, id="a power state that is a text"),
        pytest.param({"power": [*reversed(POWER_ROW)]}, id="a power state in another order"),
        pytest.param({"power": [*POWER_ROW[:10], "many", *POWER_ROW[11:]]}, id="a power state that earned a word"),
    ],
)
def test_a_whole_line_that_is_no_entry_is_bad(change: dict[str, Any], history: History) -> None:
    record = {**json.loads(history.lines[0]), **change}
    del record["crc"]
    with pytest.raises(BadLine):
        decode(line_of({name: value for name, value in record.items() if value is not ...}))
