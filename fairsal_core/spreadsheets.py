"""Tables as CSV that a spreadsheet opens as what they say: names from data are no formulas."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_BEGINS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def as_csv(table: "pd.DataFrame") -> str:
    """Return a table as CSV without its index; a text that a spreadsheet would compute has an apostrophe before it."""
    shown = table.rename(columns=harmless)
    texts = [column for column, dtype in shown.dtypes.items() if dtype.kind not in "biufcMm"]
    return shown.assign(**{str(column): shown[column].map(harmless) for column in texts}).to_csv(index=False)


def as_spreadsheet_csv(table: "pd.DataFrame") -> bytes:
    """Return a table as CSV that begins with a byte order mark, by which spreadsheets know that it is UTF-8."""
    return as_csv(table).encode("utf-8-sig")


def harmless(value: Any) -> Any:
    """Return a cell as it is, or with an apostrophe before what would be a formula; text that is a number stays one.

    Examples
    --------
    >>> harmless("=HYPERLINK(A1)"), harmless("-0.5"), harmless("-0.1 [-0.2, 0.0]"), harmless(-0.5)
    ("'=HYPERLINK(A1)", '-0.5', "'-0.1 [-0.2, 0.0]", -0.5)
    """
    if not isinstance(value, str):
        return value
    line = value.replace("\r", " ")  # which readers take for the end of a row
    if not value.startswith(_BEGINS_FORMULA):
        return line
    try:
        float(value)
    except ValueError:
        return f"'{line}"
    return line
