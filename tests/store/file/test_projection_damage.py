"""If any projection is deleted or damaged, the next start rebuilds it from the journal; nothing is lost."""

from itertools import combinations, permutations, product
from pathlib import Path

import pytest

from tests.disk.scripted import HastyDisk
from tests.harness import NOON_MS, event, file_store, journal_path
from tests.store.file.history import History, ProjectionContents, facts, lay, opened, put, shown

NAMES = ("sessions.json", "balances.json", "power_meter.json")
DIGEST_STRIDE, BODY_STRIDE, AGE_STRIDE = 17, 101, 2


def lay_all(folder: Path, history: History) -> None:
    """All files after the last entry."""
    lay(folder, history.journal, history.shown[-1])


def check_restored(folder: Path, history: History) -> None:
    """Check that a start on ``folder`` knows everything, and leaves the projections as last written."""
    assert opened(folder) == history.facts[-1]
    assert shown(folder) == history.shown[-1]


@pytest.mark.parametrize("lost", [*combinations(NAMES, 1), *combinations(NAMES, 2), NAMES], ids="+".join)
def test_a_deleted_projection_is_made_again(lost: tuple[str, ...], history: History, tmp_path: Path) -> None:
    lay_all(tmp_path, history)
    for name in lost:
        (tmp_path / name).unlink()
    check_restored(tmp_path, history)


@pytest.mark.parametrize("name", NAMES)
def test_a_truncated_projection_is_made_again(name: str, history: History, tmp_path: Path) -> None:
    lay_all(tmp_path, history)
    good = (tmp_path / name).read_bytes()
    head = good.index(b"\n") + 1
    for cut in {0, 1, head - 1, head, head + 1, len(good) // 2, len(good) - 70, len(good) - 3, len(good) - 2}:
        put(tmp_path / name, good[:cut])
        check_restored(tmp_path, history)


@pytest.mark.parametrize("name", NAMES)
def test_a_projection_without_its_last_newline_is_as_good(name: str, history: History, tmp_path: Path) -> None:
    lay_all(tmp_path, history)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-1])
    assert opened(tmp_path) == history.facts[-1]


@pytest.mark.parametrize("name", NAMES)
def test_a_flipped_bit_in_the_first_line_of_a_projection_does_no_harm(
    name: str, history: History, tmp_path: Path
) -> None:
    """The first line says where in the journal the projection stands."""
    lay_all(tmp_path, history)
    good = (tmp_path / name).read_bytes()
    position, digest = 8 * good.index(b'"hash"'), 8 * good.index(b"\n")
    for bit in (*range(position), *range(position, digest + 8, DIGEST_STRIDE)):
        put(tmp_path / name, flipped(good, bit))
        check_restored(tmp_path, history)


@pytest.mark.parametrize("name", NAMES)
def test_a_flipped_bit_elsewhere_in_a_projection_does_no_harm(name: str, history: History, tmp_path: Path) -> None:
    lay_all(tmp_path, history)
    good = (tmp_path / name).read_bytes()
    for bit in range(8 * good.index(b"\n"), 8 * len(good), BODY_STRIDE):
        put(tmp_path / name, flipped(good, bit))
        check_restored(tmp_path, history)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 4096, b"{}", b"[]", b"null", b"not JSON", b"\xff\xfe", b"[" * 100_000, b'{"format":1}\n'],
    ids=["empty", "zeros", "object", "list", "null", "text", "not UTF-8", "nesting bomb", "format only"],
)
@pytest.mark.parametrize("name", NAMES)
def test_something_else_in_place_of_a_projection_is_replaced(
    name: str, content: bytes, history: History, tmp_path: Path
) -> None:
    lay_all(tmp_path, history)
    (tmp_path / name).write_bytes(content)
    check_restored(tmp_path, history)


def test_the_projections_in_each_others_place_are_made_again(history: History, tmp_path: Path) -> None:
    for documents in permutations(history.shown[-1]):
        lay(tmp_path, history.journal, ProjectionContents._make(documents))
        check_restored(tmp_path, history)


@pytest.mark.parametrize("older", ProjectionContents._fields)
def test_projections_of_any_two_ages_give_the_same_state(older: str, history: History, tmp_path: Path) -> None:
    """A crash between two writes leaves one projection older; one that could not be written for long is much older."""
    for age, others in product(range(0, len(history.facts), AGE_STRIDE), repeat=2):
        documents = history.shown[others]._replace(**{older: getattr(history.shown[age], older)})
        lay(tmp_path, history.journal, documents)
        assert opened(tmp_path) == history.facts[-1], (age, others)
    check_restored(tmp_path, history)


def test_projections_damaged_under_a_running_store_are_written_again(history: History, tmp_path: Path) -> None:
    lay_all(tmp_path, history)
    store = file_store(tmp_path, disk=HastyDisk())
    for name in NAMES:
        (tmp_path / name).write_bytes(b"damaged")
    store.execute([event("s-new", at_ms=NOON_MS)])
    expected = facts(store)
    store.close()
    assert opened(tmp_path) == expected
    documents = shown(tmp_path)
    lay(tmp_path, journal_path(tmp_path).read_bytes())
    assert opened(tmp_path) == expected
    assert shown(tmp_path) == documents


def flipped(data: bytes, bit: int) -> bytes:
    """``data`` with one bit flipped."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
