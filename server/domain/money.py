"""Money as people read it. Amounts are integers in minor units everywhere else."""

from __future__ import annotations

from iso4217 import Currency

MINOR_DIGITS: dict[str, int] = {each.code: each.exponent for each in Currency if each.exponent is not None}
"""ISO 4217: code → digits of the minor unit. What has none (gold, drawing rights, the code for tests) is no money."""
USUAL_DIGITS = 2
"""For what ISO 4217 lists no more: the currency of a club from before."""

SYMBOLS = {"GBP": "£", "EUR": "€", "USD": "$"}


def format_money(amount: int, currency: str) -> str:
    """`amount` minor units of an ISO 4217 currency, such as "£24.50", "-£1.00" or "JPY 3,000"."""
    digits = MINOR_DIGITS.get(currency, USUAL_DIGITS)
    whole, rest = divmod(abs(amount), 10**digits)
    number = f"{whole:,}.{rest:0{digits}}" if digits else f"{whole:,}"
    sign = "-" if amount < 0 else ""
    return f"{sign}{SYMBOLS.get(currency, currency + ' ')}{number}"
