"""hledger and beancount, asked whether they accept an export and what it adds up to."""

import csv
import io
import subprocess
from fractions import Fraction
from pathlib import Path


def tool(*command: str) -> str:
    """What it printed; it must have found nothing to complain of."""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, ""), result.stderr + result.stdout
    return result.stdout


def hledger_balances(path: Path) -> dict[str, int]:
    """Wei by account as hledger has them, once it has found the export sound under its strictest rules."""
    tool("hledger", "-f", str(path), "check", "--strict")
    return _balances(tool("hledger", "-f", str(path), "balance", "-N", "-E", "-O", "csv"))


def beancount_balances(path: Path) -> dict[str, int]:
    """Wei by account as beancount has them, once ``bean-check`` has found the export sound."""
    assert tool("bean-check", "--no-cache", str(path)) == ""
    query = "SELECT account, sum(position) GROUP BY account"
    return _balances(tool("bean-query", "--no-errors", "-f", "csv", str(path), query))


BALANCES = {"hledger": hledger_balances, "beancount": beancount_balances}


def _balances(table: str) -> dict[str, int]:
    _, *rows = csv.reader(io.StringIO(table))
    return {account.strip(): _wei(amount.removesuffix("ETH")) for account, amount in rows}


def _wei(text: str) -> int:
    # A sum of nothing is printed as nothing by one of them.
    amount = Fraction(text.strip() or "0") * 10**18
    assert amount.denominator == 1
    return int(amount)
