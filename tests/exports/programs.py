"""Asks hledger and beancount whether they accept an export, and for its sums."""

import csv
import io
import subprocess
from fractions import Fraction
from pathlib import Path


def tool(*command: str) -> str:
    """Output of a program that must succeed."""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, ""), result.stderr + result.stdout
    return result.stdout


def hledger_balances(path: Path) -> dict[str, int]:
    """Wei by account from hledger, which must accept the export under its strictest checks."""
    tool("hledger", "-f", str(path), "check", "--strict")
    return _balances(tool("hledger", "-f", str(path), "balance", "-N", "-E", "-O", "csv"))


def beancount_balances(path: Path) -> dict[str, int]:
    """Wei by account from beancount, whose ``bean-check`` must accept the export."""
    assert tool("bean-check", "--no-cache", str(path)) == ""
    query = "SELECT account, sum(position) GROUP BY account"
    return _balances(tool("bean-query", "--no-errors", "-f", "csv", str(path), query))


BALANCES = {"hledger": hledger_balances, "beancount": beancount_balances}


def _balances(table: str) -> dict[str, int]:
    _, *rows = csv.reader(io.StringIO(table))
    return {account.strip(): _wei(amount.removesuffix("ETH")) for account, amount in rows}


def _wei(text: str) -> int:
    # One of them prints nothing for an empty sum.
    amount = Fraction(text.strip() or "0") * 10**18
    assert amount.denominator == 1
    return int(amount)
