"""``registry.json`` as text: reading either works or says what is wrong."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.domain.addresses import canonical_ip
from payments.registry.document import read_document, write_document
from payments.registry.records import Record
from tests.harness import NOON_MS, campaign
from tests.registry.helpers import record

FIELDS = [
    "orchestrator_id", "address", "host_public_ip", "host_name", "power_url", "enabled", "registered_at", "updated_at",
]  # fmt: skip

# All characters, including lone surrogates, which JSON can express.
TEXTS = st.text(st.characters(exclude_categories=()), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)
NEAR_MISSES = (
    st.sampled_from(["orch-a", "203.0.113.10", "::1", "0x" + "0" * 40, "http://h", "2026-01-31T12:00:00Z"]) | VALUES
)
RECORDS = st.dictionaries(st.sampled_from(FIELDS) | TEXTS, NEAR_MISSES, max_size=8)
DOCUMENTS = VALUES | st.lists(RECORDS | VALUES, max_size=4)


def read_or_refuse(data: bytes) -> dict[str, Record] | None:
    """The records; ``None`` for a ``ValueError`` with a message. Other exceptions pass through."""
    try:
        return read_document(data, NOON_MS)
    except ValueError as error:
        complaint = str(error)
    assert complaint
    return None


@campaign(150)
@given(DOCUMENTS, st.booleans())
def test_any_json_is_read_or_refused(document: Any, wrapped: bool) -> None:
    read_or_refuse(json.dumps({"orchestrators": document} if wrapped else document).encode())


@campaign(150)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    read_or_refuse(data)
    read_or_refuse(b'{"orchestrators":[{"orchestrator_id":"' + data + b'"}]}')


@pytest.mark.parametrize("field", FIELDS)
def test_nesting_of_any_depth_is_read_or_refused(field: str) -> None:
    """Just below the parser's maximum depth, code that handles its result might fail."""
    for depth in range(900, 1010):
        bomb = b"[" * depth + b"]" * depth
        assert read_or_refuse(b'[{"%b":%b}]' % (field.encode(), bomb)) is None


RECORDS_AS_WRITTEN = st.builds(
    record,
    st.from_regex(r"[A-Za-z0-9._:@+-]{3,20}", fullmatch=True),
    address=st.none(),
    host_public_ip=st.none() | st.ip_addresses().map(str).map(canonical_ip),
    host_name=st.none() | st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=20),
    enabled=st.booleans(),
    registered_at_ms=st.integers(0, 2 * NOON_MS),
    updated_at_ms=st.integers(0, 2 * NOON_MS),
)


@campaign(150)
@given(
    st.lists(
        RECORDS_AS_WRITTEN,
        max_size=5,
        unique_by=(lambda each: each.orchestrator_id, lambda each: each.host_public_ip or each.orchestrator_id),
    )
)
def test_what_is_written_is_read_back(records: list[Record]) -> None:
    by_id = {each.orchestrator_id: each for each in records}
    read = read_document(write_document(by_id), now_ms=0)
    assert read == by_id
    assert list(read) == list(by_id)
