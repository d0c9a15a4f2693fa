"""The folder of payout files: which of them pay what the ledger still shows as owed.

A file is settled when its slip says that all of it is debited. Whoever is paid by one that is not would be paid again
by the next, so where that cannot be told, nothing is prepared.
"""

from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import click

from payments.clock import now_ms
from payments.disk.lock import LockTimeout, brief_lock
from payments.exports.airdrop import Payment, is_airdrop, read_airdrop, read_slip, slip_path

_LOCK = ".payouts.lock"
_WITHIN_S = 10.0


class UnsettledFile(NamedTuple):
    """A file that may be paid, or was, and is not debited.

    Attributes:
        names: whom it pays, by its slip.
        receivers: without one, by their addresses, in small letters.
        tx_hash: under which a part of it is recorded, ``None`` while nothing is.
    """

    file: Path
    names: Set[str]
    receivers: Set[str]
    tx_hash: str | None


@contextmanager
def preparing_in(folder: Path) -> Iterator[Sequence[UnsettledFile]]:
    """What in ``folder`` is unsettled, by name; nobody else prepares payouts there meanwhile.

    To be begun before balances are asked for: what is recorded in between is then refused, and not paid again. Raises
    ``ClickException``, also where a slip cannot be read.
    """
    with ExitStack() as held:
        try:
            held.enter_context(brief_lock(folder / _LOCK, _WITHIN_S))
            paths = sorted(folder.iterdir())
        except LockTimeout:
            raise click.ClickException(
                f"PAY-O18 {folder}: another payments payouts prepare is at work there; try again when it has ended"
            ) from None
        except OSError as error:
            raise click.ClickException(f"PAY-D04 {folder}: cannot be written ({error.strerror})") from error
        yield [each for path in paths if (each := _judged(path)) is not None]


def new_paths(place: Path, count: int) -> list[Path]:
    """Where ``count`` files go. A file that is there may have been paid, and is never written over."""
    if place.is_dir():
        place /= f"payouts-{datetime.fromtimestamp(now_ms() // 1000, UTC):%Y%m%dT%H%M%SZ}.csv"
    width = len(str(count))
    numbered = (place.with_name(f"{place.stem}-{number:0{width}}{place.suffix}") for number in range(1, count + 1))
    paths = [place][:count] if count < 2 else list(numbered)
    for path in paths:
        for each in (path, slip_path(path)):
            if each.exists():
                raise click.ClickException(
                    f"PAY-O14 {each} is there already, and may have been paid; choose another name"
                )
    return paths


def check_unpaid(unsettled: Iterable[UnsettledFile], payments: Iterable[Payment]) -> None:
    """That none of ``unsettled`` pays any of ``payments``: they would be paid twice. Raises ``ClickException``."""
    paid = list(payments)
    for file, names, receivers, tx_hash in unsettled:
        twice = [
            each.orchestrator_id for each in paid if each.orchestrator_id in names or each.row.receiver in receivers
        ]
        if twice and tx_hash is not None:
            raise click.ClickException(
                f"PAY-O15 {file} pays {', '.join(twice)} as well, and is not recorded to its end; first run\n"
                f"  payments payouts record --tx {tx_hash} {file}"
            )
        if twice:
            raise click.ClickException(
                f"PAY-O14 {file} pays {', '.join(twice)} as well, and is not recorded; record it first, or, if it "
                "will never be paid, remove it with its .json"
            )


def recorded_as(folder: Path, tx_hash: str) -> Sequence[Path]:
    """The files in ``folder`` whose slips say that they were recorded under ``tx_hash``."""
    found = []
    for path in filter(_may_be_slip, sorted(folder.glob("*.json"))):
        with suppress(OSError, ValueError):
            if read_slip(path.read_bytes()).tx_hash == tx_hash:
                found.append(path.with_suffix(""))
    return found


def _may_be_slip(path: Path) -> bool:
    """The file that it speaks of is there, or was moved to where the Safe is asked to pay it."""
    file = path.with_suffix("")
    return file.is_file() or file.suffix == ".csv"


def _judged(path: Path) -> UnsettledFile | None:
    if path.suffix == ".json" and _may_be_slip(path):
        return _by_slip(path)
    if path.suffix == ".csv" and not slip_path(path).exists():
        return _by_rows(path)
    return None


def _by_slip(path: Path) -> UnsettledFile | None:
    file = path.with_suffix("")
    try:
        slip = read_slip(path.read_bytes())
    except (OSError, ValueError) as error:
        if not _pays(file):
            # Something else's.
            return None
        raise click.ClickException(
            f"PAY-O16 {path}: {error}; restore it first: it says whom {file.name} pays, and whether that is recorded"
        ) from None
    if slip.is_debited:
        return None
    return UnsettledFile(file, {each.orchestrator_id for each in slip.payments}, frozenset(), slip.tx_hash)


def _by_rows(file: Path) -> UnsettledFile | None:
    if not _pays(file):
        return None
    try:
        rows = read_airdrop(file.read_bytes())
    except (OSError, ValueError):
        # It pays in something else.
        return None
    return UnsettledFile(file, frozenset(), {row.receiver for row in rows}, None)


def _pays(file: Path) -> bool:
    """Whether ``file`` is, or cannot be told not to be, one that the Safe's app reads."""
    try:
        with file.open("rb") as opened:
            return is_airdrop(opened.read(1 << 10))
    except FileNotFoundError:
        return False
    except OSError:
        return True
