"""The check digit of an EAN of 18 digits (docs/rules.md E2): in Python for one address, in SQL for sets.

Counted from the right, the digits weigh 1 and 3 in turn. With the right check digit, the weighted sum is a multiple of
10. Both forms add the codes of the digits, from 48 for `0`: that adds 48 x (9 x 3 + 9) to the sum, and so 8 to its last
digit.
"""

_FIRST, _LENGTH = len("ean."), len("ean.") + 18
_REST = 8

WRONG_SQL = f"""
    SELECT address FROM (
        SELECT address, CASE WHEN {{condition}} AND length(address) = {_LENGTH} AND starts_with(address, 'ean.')
            THEN convert_to(address, 'UTF8') END AS code
        FROM {{table}} OFFSET 0
    ) coded
    WHERE (3 * ({" + ".join(f"get_byte(code, {at})" for at in range(_FIRST, _LENGTH, 2))})
        + {" + ".join(f"get_byte(code, {at})" for at in range(_FIRST + 1, _LENGTH, 2))}) %% 10 <> {_REST}"""  # noqa: S608 - put together from constants
"""The entity addresses in the column `address` of a table whose check digit is wrong. Fill in by `str.format`.

It is for a query with parameters, so `%` is doubled. Only rows for which `condition` holds are checked. OFFSET 0 keeps
PostgreSQL from computing `code` once for each digit.
"""


def has_wrong_check_digit(address: str) -> bool:
    """Return whether an entity address is an EAN of 18 digits whose last digit is not its check digit."""
    if len(address) != _LENGTH or not address.startswith("ean."):
        return False
    code = address.encode()
    return (3 * sum(code[_FIRST::2]) + sum(code[_FIRST + 1 :: 2])) % 10 != _REST


def right_check_digit(address: str) -> str:
    """Return the digit that an EAN of 18 digits should end with; "" if it does, or if the address is no such EAN."""
    return with_check_digit(address[_FIRST:-1])[-1] if has_wrong_check_digit(address) else ""


def with_check_digit(digits: str) -> str:
    """Return an EAN of 18 digits: the 17 `digits`, and their check digit."""
    weighted = sum(int(digit) * (1 if place % 2 else 3) for place, digit in enumerate(digits))
    return f"{digits}{-weighted % 10}"
