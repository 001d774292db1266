"""Text files of unknown encoding, read without a guess: transcripts and tables alike."""

from pathlib import Path

from imlcmm.clean_text import clean_text
from imlcmm.errors import ImlcmmError
from imlcmm.file_kinds import HEAD, file_kind
from imlcmm.text_encoding import describe, find_encoding


def read_text(path: Path, refusal: type[ImlcmmError]) -> str:
    """Read a text in UTF-8, in UTF-16 or UTF-32 with its mark, or Chinese in GB18030.

    Args:
        path: The file.
        refusal: The error to raise.

    Returns:
        The text without its mark and without what is no writing (`clean_text`); UTF-16 without a mark is read where
        nothing else is possible.

    Raises:
        ImlcmmError: The one given, if the file cannot be read, is no text, or its encoding is another or in doubt.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise refusal(f"{path} cannot be read ({error.strerror}): check the path") from error
    kind = file_kind(content[:HEAD]) if content else None
    if kind is not None:
        raise refusal(f"{path} is {kind.name}, not text: {kind.advice}")
    encoding = find_encoding(content)
    if encoding is None:
        raise refusal(f"{path} {describe(content)}: save it as UTF-8 (in a spreadsheet as 'CSV UTF-8')")
    return clean_text(content.decode(encoding))
