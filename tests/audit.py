"""An independent auditor: reads a journal with only the standard library and the format's specification."""

import gzip
import json
import re
import zlib
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from tests.harness import ROOT


def _array(first: str) -> tuple[str, ...]:
    """Fields of the array that begins with ``first``, in order, from the specification."""
    specification = (ROOT / "payments" / "store" / "file" / "FORMAT.rst").read_text()
    found = re.search(rf"of (``{first}``(?:,\s+``\w+``)+\s+and\s+``\w+``)", specification)
    assert found
    return tuple(re.findall(r"``(\w+)``", found[1]))


SESSION, POWER = _array("session_id"), _array("orchestrator_id")


class Audit(NamedTuple):
    """A valid journal: its entries, sessions and power states as objects, and their sums."""

    entries: list[dict[str, Any]]
    balances: dict[str, Decimal]


def read_journal(path: Path) -> bytes:
    """All lines of the journal at ``path``: sealed segments, compressed or not, then the active file."""
    named = re.compile(rf"({re.escape(path.name)}\.[0-9]{{20}})(\.gz)?")
    plain = sorted({match[1] for match in map(named.fullmatch, (file.name for file in path.parent.iterdir())) if match})
    parts = []
    for segment in map(path.with_name, plain):
        compressed = segment.with_name(f"{segment.name}.gz")
        # If a crash left both forms, the plain one counts.
        parts.append(segment.read_bytes() if segment.exists() else _plain(compressed.read_bytes()))
    return b"".join([*parts, path.read_bytes() if path.exists() else b""])


@lru_cache(256)
def _plain(compressed: bytes) -> bytes:
    return gzip.decompress(compressed)


def audit(path: Path) -> Audit:
    """Check checksum, chain, ``seq`` and balance of every line, and that no power is paid twice.

    Raises ``AssertionError``, which names the first bad line.
    """
    entries = []
    balances: dict[str, Decimal] = {}
    paid_until: dict[str, str] = {}
    prev = "0" * 64
    for number, line in enumerate(read_journal(path).splitlines(keepends=True), start=1):
        entry = json.loads(line)
        body = line[: line.rindex(b',"crc":')]
        assert entry["crc"] == f"{zlib.crc32(body):08x}", f"line {number}: checksum"
        assert entry["prev"] == prev, f"line {number}: chain"
        assert entry["seq"] == number, f"line {number}: seq"
        if "delta" in entry:
            earner = entry["orchestrator_id"]
            balances[earner] = balances.get(earner, Decimal(0)) + Decimal(entry["delta"])
            assert Decimal(entry["balance"]) == balances[earner], f"line {number}: balance"
        if entry["reason"] == "power_time":
            begin, end = entry["metadata"]["interval_start"], entry["metadata"]["interval_end"]
            assert paid_until.get(earner, "") <= begin < end, f"line {number}: power paid twice"
            paid_until[earner] = end
        for name, attributes in (("session", SESSION), ("power", POWER)):
            if name in entry:
                entry[name] = dict(zip(attributes, entry[name], strict=True))
        prev = sha256(line).hexdigest()
        entries.append(entry)
    return Audit(entries, balances)
