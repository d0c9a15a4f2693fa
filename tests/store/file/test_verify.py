"""``ledger verify`` checks everything in the journal against everything else, and names the first fault."""

import json
import zlib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest

from payments.disk import Disk
from payments.domain.ledger import Adjustment, Payout
from payments.domain.readings import AWAKE, Reading
from payments.domain.retention import CloseStale, PurgeEnded
from payments.domain.sessions import END, HEARTBEAT, START
from payments.errors import Corrupt
from payments.store import Verified
from payments.store.file.segments import sealed_path
from payments.store.file.verify import Verification
from tests.harness import (
    HOST_A,
    HOST_B,
    NOON_MS,
    TERMS,
    Clock,
    event,
    file_store,
    journal_path,
    projections,
    rewrite,
    show_all,
    state_of,
    uncoded,
    verified,
)

STEP_MS = 15_000
METERED = TERMS._replace(power_rate_wei_per_minute=10**15)
LINES = 14

REMEDY = "Keep a copy of the file, and compare it with a backup"


def live(folder: Path, segment_bytes: int = 1 << 28) -> None:
    """A journal with entries of all kinds, one every 15 s."""
    clock = Clock()
    store = file_store(folder, METERED, clock, segment_bytes=segment_bytes)
    for command in (
        event("s-1", START, NOON_MS), event("s-1", HEARTBEAT, NOON_MS + 15_000), Reading("orch-a", AWAKE, NOON_MS),
        event("s-2", START, NOON_MS, upstream_addr=HOST_B), Reading("orch-a", AWAKE, NOON_MS + 60_000),
        event("s-1", END, NOON_MS + 30_000), Adjustment("orch-a", 5, "r", "n"), Payout("orch-a", 7, "0x1"),
        CloseStale("s-2", NOON_MS), PurgeEnded("s-1", NOON_MS + 30_000), event("s-3", START, NOON_MS + 60_000),
        event("s-3", HEARTBEAT, NOON_MS + 75_000), Reading("orch-b", "sleeping", NOON_MS),
        event("s-3", HEARTBEAT, NOON_MS + 90_000),
    ):  # fmt: skip
        clock.now_ms += STEP_MS
        store.execute([command])
    store.close()


def fault(folder: Path) -> str:
    """The fault that verification reports."""
    with pytest.raises(Corrupt) as refusal:
        verified(folder)
    return uncoded(refusal.value)


def forge(folder: Path, number: int, change: Callable[[dict[str, Any]], None]) -> None:
    """Change line ``number``, and rewrite it and all later lines with valid checksums and chain."""
    path = journal_path(folder)
    lines, prev = [], "0" * 64
    for count, line in enumerate(path.read_bytes().splitlines(), start=1):
        record = orjson.loads(line)
        if count == number:
            change(record)
        record["prev"] = prev
        del record["crc"]
        body = orjson.dumps(record)[:-1]
        lines.append(b'%b,"crc":"%08x"}\n' % (body, zlib.crc32(body)))
        prev = sha256(lines[-1]).hexdigest()
    path.write_bytes(b"".join(lines))
    for projection in projections(folder):
        projection.unlink(missing_ok=True)


def lines_of(folder: Path) -> list[bytes]:
    return journal_path(folder).read_bytes().splitlines(keepends=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    live(tmp_path)
    return tmp_path


@pytest.mark.parametrize("segment_bytes", [1 << 28, 4096], ids=["one segment", "many"])
@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "compressed"])
def test_a_sound_journal_is_sound_in_every_form(tmp_path: Path, segment_bytes: int, compressed: bool) -> None:
    live(tmp_path, segment_bytes)
    store = file_store(tmp_path)
    if compressed:
        store.maintain()
    owed = {name: balance.balance_wei for name, balance in state_of(store).balances.items()}
    found = verified(tmp_path)
    store.close()
    assert (found.entries, found.sessions, found.balances_wei) == (LINES, 2, owed)
    assert found.compared == dict.fromkeys(map(str, projections(tmp_path)), LINES)
    assert (found.segments > 1) == (segment_bytes == 4096)


def test_an_empty_journal_is_sound(tmp_path: Path) -> None:
    file_store(tmp_path).close()
    assert verified(tmp_path) == Verified(0, 1, 0, 0, {}, dict.fromkeys(map(str, projections(tmp_path)), 0))


def test_a_line_that_is_being_written_is_left_for_later(folder: Path) -> None:
    with journal_path(folder).open("ab") as file:
        file.write(b'{"seq":15,"time')
    assert verified(folder).entries == LINES


def test_a_flipped_bit_is_named_by_its_line(folder: Path) -> None:
    path = journal_path(folder)
    lines = lines_of(folder)
    lines[4] = lines[4].replace(b'"awake"', b'"aware"', 1)
    path.write_bytes(b"".join(lines))
    begin = len(b"".join(lines[:4]))
    assert fault(folder) == f"{path}, line 5 (byte {begin}): its checksum does not fit its content. {REMEDY}"


def test_a_line_that_was_written_anew_breaks_the_chain(folder: Path) -> None:
    path = journal_path(folder)
    before = lines_of(folder)
    forge(folder, 7, lambda record: record["metadata"].update(note="other"))
    after = lines_of(folder)
    path.write_bytes(b"".join([*after[:7], *before[7:]]))
    assert f"{path}, line 8 (byte {len(b''.join(after[:7]))}): it does not continue the chain: " in fault(folder)


def test_a_line_of_a_version_that_is_not_known_asks_for_an_upgrade(folder: Path) -> None:
    forge(folder, 3, lambda record: record.update(v=2))
    assert "line 3 (byte " in fault(folder)
    assert "format version 2 is not known here; a newer Payments wrote it: upgrade first" in fault(folder)


def test_a_line_that_was_taken_out_breaks_the_chain(folder: Path) -> None:
    path = journal_path(folder)
    lines = lines_of(folder)
    path.write_bytes(b"".join(lines[:6] + lines[7:]))
    assert f"{path}, line 7 (byte " in fault(folder)


def test_a_forged_chain_with_another_count_is_noticed(folder: Path) -> None:
    forge(folder, 6, lambda record: record.update(seq=7))
    assert "line 6 " in fault(folder)


def grow(name: str) -> Callable[[dict[str, Any]], None]:
    """A forgery that makes an amount of the line larger."""
    return lambda record: record.update({name: record[name] + "1"})


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (grow("balance"), "its balance is 0.000251; the entries add up to 0.00025"),
        (grow("delta"), "its balance is 0.00025; the entries add up to 0.000251"),
        (grow("amount"), "a credit of 0.000251, a session_time, that changes the balance by 0.00025"),
        (
            lambda record: record.update(event="debit"),
            "a debit of 0.00025, a session_time, that changes the balance by 0.00025",
        ),
    ],
    ids=["balance", "delta", "amount", "event"],
)
def test_money_that_does_not_add_up_is_named(
    folder: Path, change: Callable[[dict[str, Any]], None], complaint: str
) -> None:
    forge(folder, 2, change)
    assert fault(folder).endswith(f": {complaint}. {REMEDY}")


def without(*names: str) -> Callable[[dict[str, Any]], None]:
    def change(record: dict[str, Any]) -> None:
        for name in names:
            del record[name]

    return change


@pytest.mark.parametrize(
    ("number", "change", "complaint"),
    [
        pytest.param(2, without("delta", "amount"), "of delta and balance it has only one", id="balance alone"),
        pytest.param(2, without("balance"), "of delta and balance it has only one", id="no balance"),
        pytest.param(2, without("delta", "balance"), "it moves money, and does not say whose, by how", id="amount"),
        pytest.param(2, without("delta", "balance", "amount"), "it moves money, and does not say", id="a bare credit"),
        pytest.param(2, lambda record: record.update(reason="gift"), "Invalid enum value 'gift'", id="reason"),
        pytest.param(1, lambda record: record.update(event="gift"), "Invalid enum value 'gift'", id="event"),
        pytest.param(2, lambda record: record.update(reason="payout"), "a credit of 0.00025, a payout,", id="payout"),
        pytest.param(2, without("session"), "with the reason session_time it says nothing of a session", id="nobody's"),
        pytest.param(1, lambda record: record.update(timestamp="yesterday"), "", id="timestamp"),
        pytest.param(1, lambda record: record.update(durable="x"), "", id="durable"),
        pytest.param(
            6, lambda record: record["metadata"].update(interval_end="2027-01-15T08:00:00.000Z"),
            "s-1 begins at 2027-01-15T08:00:15.000Z and ends at 2027-01-15T08:00:00.000Z", id="backwards",
        ),
        pytest.param(
            6, lambda record: record["metadata"].update(interval_start="2027-01-15T08:00:16.000Z"),
            "begins at 2027-01-15T08:00:16.000Z; all is accounted for until 2027-01-15T08:00:15.000Z only", id="a hole",
        ),
    ],
)  # fmt: skip
def test_an_entry_that_says_what_none_does_is_named(
    folder: Path, number: int, change: Callable[[dict[str, Any]], None], complaint: str
) -> None:
    """Forgeries with valid checksums and chain, by somebody who can rewrite everything."""
    forge(folder, number, change)
    said = fault(folder)
    assert f"line {number} (byte " in said
    assert complaint in said


def test_a_start_owes_nothing_for_a_balance_that_nothing_has_changed(folder: Path) -> None:
    forge(folder, LINES, without("delta", "amount"))
    with pytest.raises(Corrupt, match="of delta and balance it has only one"):
        file_store(folder)


def test_a_payout_that_is_booked_twice_or_was_not_owed_is_named(folder: Path) -> None:
    path = journal_path(folder)
    paid = lines_of(folder)[7]
    path.write_bytes(b"".join([*lines_of(folder)[:8], paid]))
    forge(folder, 9, lambda record: record.update(seq=9, balance="0.001499999999999991"))
    assert "line 9 (byte " in fault(folder)
    assert "0x1 is booked by entry 8 already" in fault(folder)
    forge(folder, 9, lambda record: record["metadata"].update(booked_as="payout 0x2"))
    assert verified(folder).entries == 9
    forge(folder, 9, lambda record: record.update(amount="1", delta="-1", balance="-0.998500000000000002"))
    assert "it pays 1, of which " in fault(folder)


@pytest.mark.parametrize(
    "spelled",
    [
        "2.5E-4",
        "0.00_025",
        " 0.00025",
        "0.00025 ",
        "+0.00025",
        ".00025",
        "NaN",
        "",
        "0.00025,0",
        "0.0002500000000000000",
        "1" * 31,
    ],
)
@pytest.mark.parametrize("names", [("delta", "amount"), ("balance",)], ids=["delta", "balance"])
def test_an_amount_that_only_some_readers_would_read_is_named(
    folder: Path, names: tuple[str, ...], spelled: str
) -> None:
    forge(folder, 2, lambda record: record.update(dict.fromkeys(names, spelled)))
    assert "line 2 (byte " in fault(folder)


def test_a_balance_below_a_millionth_is_not_spelled_with_an_exponent(folder: Path) -> None:
    tiny = dict.fromkeys(("delta", "amount", "balance"), "0.0000001")
    forge(folder, 2, lambda record: record.update(tiny))
    assert "line 5 (byte " in fault(folder), "line 2 is sound; in line 5 the sum is not what it was"
    forge(folder, 2, lambda record: record.update(balance="1E-7"))
    assert "line 2 (byte " in fault(folder)


def test_balances_of_any_size_are_exact(folder: Path) -> None:
    """More wei than exist, and more digits than default arithmetic has."""
    most = "9" * 30 + ".000000000000000001"
    path = journal_path(folder)
    path.write_bytes(b"".join(lines_of(folder)[:2]))
    forge(folder, 2, lambda record: record.update(dict.fromkeys(("delta", "amount", "balance"), most)))
    assert verified(folder).balances_wei == {"orch-a": (10**30 - 1) * 10**18 + 1}


def test_an_amount_that_is_a_number_is_named(folder: Path) -> None:
    forge(folder, 2, lambda record: record.update(delta=0.00025))
    assert "line 2 (byte " in fault(folder)


def test_of_a_fault_in_money_and_one_in_time_the_first_is_named(folder: Path) -> None:
    """Whichever is checked first."""
    until = "2027-01-15T09:00:00.000Z"
    forge(folder, 8, grow("balance"))
    forge(folder, 2, lambda record: record["metadata"].update(interval_end=until))
    assert f"line 6 (byte {len(b''.join(lines_of(folder)[:5]))}): the interval of s-1 begins at " in fault(folder)
    forge(folder, 2, grow("balance"))
    assert "line 2 (byte 0)" not in fault(folder)
    assert f"line 2 (byte {len(lines_of(folder)[0])}): its balance is " in fault(folder)


@pytest.mark.parametrize(
    ("number", "next_number", "subject"), [(2, 6, "s-1"), (3, 5, "orch-a")], ids=["session", "power"]
)
def test_a_moment_in_two_intervals_is_named(folder: Path, number: int, next_number: int, subject: str) -> None:
    until = "2027-01-15T09:00:00.000Z"
    forge(folder, number, lambda record: record["metadata"].update(interval_end=until))
    complaint = fault(folder)
    assert f"line {next_number} (" in complaint
    assert f": the interval of {subject} begins at " in complaint
    assert complaint.endswith(f"; all is accounted for until {until}. {REMEDY}")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("sessions.json", b'"heartbeat_count":2', b'"heartbeat_count":3'),
        ("balances.json", b'"balance":"', b'"balance":"1'),
        ("power_meter.json", b'"state":"awake"', b'"state":"sleeping"'),
    ],
    ids=["sessions", "balances", "power_meter"],
)
def test_a_projection_that_shows_something_else_is_named(folder: Path, name: str, old: bytes, new: bytes) -> None:
    rewrite(folder / name, lambda shown: shown.replace(old, new))
    assert fault(folder).startswith(f"{folder / name} does not show ")


def first_again(shown: bytes) -> bytes:
    """With the first subject twice."""
    first = shown.splitlines()[1].rstrip(b",")
    return shown + b",\n" + first


@pytest.mark.parametrize("name", ["sessions.json", "balances.json", "power_meter.json"])
@pytest.mark.parametrize(
    "change", [lambda shown: shown[: shown.index(b"\n") + 1], first_again], ids=["without any", "one twice"]
)
def test_a_projection_that_shows_too_few_or_one_twice_is_named(
    folder: Path, name: str, change: Callable[[bytes], bytes]
) -> None:
    rewrite(folder / name, change)
    assert fault(folder).startswith(f"{folder / name} does not show ")


def test_a_projection_that_shows_no_session_where_one_must_be_is_named(folder: Path) -> None:
    path = folder / "sessions.json"
    rewrite(path, lambda shown: shown.replace(b'"heartbeat_count":', b'"heartbeats":'))
    assert fault(folder).startswith(f"{path} is damaged ('heartbeat_count'). Nothing is lost: remove the file")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (b'"offset":', b'"offset":-', "journal position that there is none of"),
        (b'"orchestrator_id":"orch-a"', b'"orchestrator_id":["orch-a"]', "(orchestrator_id ['orch-a'] is no text)"),
    ],
    ids=["offset", "id"],
)
def test_a_projection_with_a_checksum_that_fits_what_it_makes_up_is_named_and_made_again(
    folder: Path, old: bytes, new: bytes, complaint: str
) -> None:
    for name in ("balances.json", "power_meter.json"):
        rewrite(folder / name, lambda shown: shown.replace(old, new, 1))
    assert complaint in fault(folder)
    store = file_store(folder, METERED, Clock())
    store.execute([event("s-9", START, NOON_MS + 300_000)])
    store.close()
    assert verified(folder).entries == LINES + 1


@pytest.mark.parametrize("count", [9, 19])
def test_a_count_that_all_projections_make_up_is_not_gone_on_from(folder: Path, count: int) -> None:
    """It would be in the journal, which no later start could read."""
    for path in projections(folder):
        rewrite(path, lambda shown: shown.replace(b'"seq":14', b'"seq":%d' % count, 1))
    assert f"{folder / 'sessions.json'} shows " in fault(folder)
    with pytest.raises(Corrupt, match=f"shows entry {count}, .* but that is not what the journal has there"):
        file_store(folder)


@pytest.mark.parametrize("data", [b"garbage\n", b"", b'{"format":1}\n'], ids=["garbage", "empty", "another document"])
def test_a_projection_that_no_start_would_read_is_named(folder: Path, data: bytes) -> None:
    path = folder / "balances.json"
    path.write_bytes(data)
    assert fault(folder).startswith(f"{path} is damaged")
    assert fault(folder).endswith("remove the file, and the next start makes it again")
    assert path.read_bytes() == data


def test_projections_that_are_behind_are_compared_with_what_they_show(folder: Path) -> None:
    """Each has another position, all within one read."""
    store = file_store(folder, METERED, Clock())
    for count, path in enumerate(projections(folder), start=1):
        show_all(store, folder)
        shown = path.read_bytes()
        store.execute([event(f"s-{count}0", START, NOON_MS), event(f"s-{count}0", HEARTBEAT, NOON_MS + STEP_MS)])
        path.with_suffix(".kept").write_bytes(shown)
    store.close()
    for path in projections(folder):
        path.with_suffix(".kept").replace(path)
    found = verified(folder)
    assert found.entries == LINES + 6
    assert list(found.compared.values()) == [LINES, LINES + 2, LINES + 4]
    rewrite(folder / "balances.json", lambda shown: shown.replace(b'"balance":"', b'"balance":"1', 1))
    assert fault(folder).startswith(
        f"{folder / 'balances.json'} does not show orch-a as the journal has it at entry 16"
    )


def test_a_projection_of_a_longer_journal_is_named(folder: Path) -> None:
    path = journal_path(folder)
    path.write_bytes(b"".join(lines_of(folder)[:-1]))
    assert fault(folder) == f"{folder / 'sessions.json'} shows entry 14, which the journal does not have"


def test_a_missing_segment_is_named(tmp_path: Path) -> None:
    live(tmp_path, 2000)
    sealed = sorted(journal_path(tmp_path).parent.glob("*.0*"))
    sealed[1].unlink()
    assert fault(tmp_path).startswith(f"{sealed[2]}: the segment before it, with seq ")


def test_the_metadata_is_what_it_seems(folder: Path) -> None:
    """The forgeries above change what they intend."""
    lines = [json.loads(line) for line in journal_path(folder).read_bytes().splitlines()]
    assert [line["reason"] for line in lines] == [
        "session_opened", "session_time", "power_read", "session_opened", "power_time", "session_time", "adjustment",
        "payout", "session_reaped", "session_forgotten", "session_opened", "session_time", "power_read", "session_time",
    ]  # fmt: skip
    assert HOST_A in {line["metadata"].get("upstream_addr") for line in lines}


def test_what_is_recorded_while_it_runs_is_no_fault(folder: Path) -> None:
    """Projections are read before the journal, so they never show more than is scanned."""
    verification = Verification(Disk(), journal_path(folder), projections(folder))
    store = file_store(folder, METERED, Clock())
    store.execute([event("s-9", START, NOON_MS)])
    store.close()
    assert verification.run().entries == LINES
    verification.close()
    assert verified(folder).entries == LINES + 1


def test_a_journal_between_two_active_files_is_sound(tmp_path: Path) -> None:
    """This is the state after a crash between sealing a segment and creating the next."""
    live(tmp_path, segment_bytes=1)
    path = journal_path(tmp_path)
    path.rename(sealed_path(path, LINES))
    found = verified(tmp_path)
    assert (found.entries, found.segments) == (LINES, LINES)
