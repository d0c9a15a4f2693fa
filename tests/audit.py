"""An auditor of its own: reads a journal with nothing but the standard library and the specification of its format."""

import json
import zlib
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple


class Audit(NamedTuple):
    """A journal that holds together: its entries, and the balances that they add up to."""

    entries: list[dict[str, Any]]
    balances: dict[str, Decimal]


def audit(path: Path) -> Audit:
    """Check the checksum, chain, ``seq`` and balance of every line; ``AssertionError`` names the first bad one."""
    entries = []
    balances: dict[str, Decimal] = {}
    prev = "0" * 64
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), start=1):
        entry = json.loads(line)
        body = line[: line.rindex(b',"crc":')]
        assert entry["crc"] == f"{zlib.crc32(body):08x}", f"line {number}: checksum"
        assert entry["prev"] == prev, f"line {number}: chain"
        assert entry["seq"] == number, f"line {number}: seq"
        if "delta" in entry:
            earner = entry["orchestrator_id"]
            balances[earner] = balances.get(earner, Decimal(0)) + Decimal(entry["delta"])
            assert Decimal(entry["balance"]) == balances[earner], f"line {number}: balance"
        prev = sha256(line).hexdigest()
        entries.append(entry)
    return Audit(entries, balances)
