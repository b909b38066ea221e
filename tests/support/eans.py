"""Entity addresses of connections: EANs of 18 digits, with their check digit."""

from common.check_digits import with_check_digit


def ean(number: int | str) -> str:
    """The entity address that begins with a number, of 17 digits at most; a check digit follows."""
    return f"ean.{with_check_digit(f'{number:0>17}')}"
