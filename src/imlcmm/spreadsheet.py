"""Text on its way into a table that a spreadsheet may open."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def spreadsheet_text(text: str) -> str:
    """Keep a text from being run as a formula: a blank goes before what would begin one (CWE-1236).

    Readers that strip cells, as `imlcmm extract` does, give the text back as it was.
    """
    return f" {text}" if text.startswith(_FORMULA) else text
