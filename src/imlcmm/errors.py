"""The one family of errors that a user of the library can meet and mend."""


class ImlcmmError(Exception):
    """Anything wrong with what the user gave: the message is one line that names the value and the way out."""


class DataError(ImlcmmError):
    """A data set or feature file is damaged, inconsistent or refused."""


class ModelError(ImlcmmError):
    """A model does not fit the data, or its checkpoint cannot be used."""


class TrainingError(ImlcmmError):
    """A run cannot start, resume or go on."""


class MediaError(ImlcmmError):
    """A video, sound or transcript cannot be read, or holds nothing to read."""


class MissingPackageError(ImlcmmError):
    """A package or model file that a job needs is not there; the message says how to get it."""


def reason_of(error: BaseException) -> str:
    """Give the first line of what an error says; its class's name if it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
