"""Wei as integers, ETH as decimal strings; never floats.

In JSON amounts are strings: most readers turn JSON numbers into floats, and no float equals 0.1 ETH.
"""

import re

WEI_PER_ETH = 10**18
MS_PER_MINUTE = 60_000
MAX_WEI = 10**12 * WEI_PER_ETH
"""A trillion ETH, more than can exist. Amounts and rates stay below it, so that every sum of them can be parsed."""

_WEI_BY_DECIMALS: dict[int, int] = {decimals: 10 ** (18 - decimals) for decimals in range(19)}

_BELOW_ONE = [f"0.{'0' * (18 - digits)}" for digits in range(19)]

ETH = r"[0-9]{1,30}+(?:\.[0-9]{1,18}+)?+"
"""Regular expression of an unsigned amount."""

_ETH = re.compile(ETH)


def parse_eth(text: str) -> int:
    """The wei of an unsigned decimal string in ETH with at most 18 decimals; ``ValueError`` for anything else."""
    if not _ETH.fullmatch(text):
        raise ValueError(f'"{text}" is not an amount of ETH such as 0.25, with at most 18 decimals')
    return read_eth(text)


def parse_rate(text: str) -> int:
    """Wei per minute of a rate in ETH per minute. As ``parse_eth``, and below ``MAX_WEI``."""
    rate_wei_per_minute = parse_eth(text)
    if rate_wei_per_minute >= MAX_WEI:
        raise ValueError(f'"{text}" ETH per minute is too much: it must be below a trillion')
    return rate_wei_per_minute


def format_eth(wei: int) -> str:
    """The exact decimal string in ETH of ``wei``, without trailing zeros: ``0.00025``, ``-1.5``, ``0``."""
    if wei < 0:
        return f"-{format_eth(-wei)}"
    digits = str(wei)
    if len(digits) < 19:
        # The fast path for most amounts; every event formats several.
        return (_BELOW_ONE[len(digits)] + digits).rstrip("0") if wei else "0"
    return f"{digits[:-18]}.{digits[-18:]}".rstrip("0").rstrip(".")


def parse_signed_eth(text: str) -> int:
    """As ``parse_eth``, with an optional leading minus."""
    return -parse_eth(text[1:]) if text.startswith("-") else parse_eth(text)


def read_eth(text: str) -> int:
    """The inverse of ``format_eth``, for text that it wrote."""
    integer, _, decimals = text.partition(".")
    try:
        # Every amount in the journal is read here: this takes half the time of padding the text with zeros.
        return int(integer + decimals) * _WEI_BY_DECIMALS[len(decimals)]
    except KeyError:
        raise ValueError(f'"{text}" has more than 18 decimals') from None


def accrue(rate_wei_per_minute: int, delta_ms: int, remainder: int) -> tuple[int, int]:
    """What ``delta_ms`` earns: ``(amount_wei, remainder)``, rule 4.2.

    ``remainder`` is in wei/60000 and below 60000. The session or power state keeps it for the next interval, so the
    amounts add up to ``floor(rate * total_ms / 60000)`` however the time was divided into intervals.
    """
    return divmod(rate_wei_per_minute * delta_ms + remainder, MS_PER_MINUTE)
