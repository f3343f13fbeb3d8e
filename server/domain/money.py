"""Money as people read it. Amounts are integers in minor units everywhere else."""

from __future__ import annotations

MINOR_DIGITS = 2
OTHER_MINOR_DIGITS = {
    **dict.fromkeys(
        (
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
"""ISO 4217: the currencies whose minor unit is not a hundredth."""

SYMBOLS = {"GBP": "£", "EUR": "€", "USD": "$"}


def format_money(amount: int, currency: str) -> str:
    """`amount` minor units of an ISO 4217 currency, such as "£24.50", "-£1.00" or "JPY 3,000"."""
    digits = OTHER_MINOR_DIGITS.get(currency, MINOR_DIGITS)
    whole, rest = divmod(abs(amount), 10**digits)
    number = f"{whole:,}.{rest:0{digits}}" if digits else f"{whole:,}"
    sign = "-" if amount < 0 else ""
    return f"{sign}{SYMBOLS.get(currency, currency + ' ')}{number}"
