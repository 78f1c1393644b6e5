"""What goes wrong: one exception for each pg_status, each also the built-in one that a caller would expect."""


class Error(Exception):
    """A failure in the library. Its text is one line: what was found, what was expected, what to do."""


class ArgumentError(Error, ValueError):
    """The caller asked for something that makes no sense."""


class OutOfMemoryError(Error, MemoryError):
    """Out of memory."""


class FileError(Error, OSError):
    """A file cannot be opened, read or written."""


class FormatError(Error, ValueError):
    """Bytes from outside are not what they should be."""


class UnsupportedError(Error, NotImplementedError):
    """Well formed, but of a kind that this library does not run."""


class LimitError(Error, ValueError):
    """Larger than a limit, or longer than the context."""


class CancelledError(Error):
    """A callback asked to stop."""


class BusyError(Error):
    """No room for more work at the moment; later there may be."""


class DeadlineError(Error, TimeoutError):
    """Not done in the time that was given."""


class DeviceError(Error, RuntimeError):
    """A GPU or its driver failed."""


_BY_STATUS = {-1: ArgumentError, -2: OutOfMemoryError, -3: FileError, -4: FormatError, -5: UnsupportedError,
              -6: LimitError, -7: CancelledError, -8: BusyError, -9: DeadlineError, -10: DeviceError}


def error_of(status, text):
    """The exception for a pg_status that is not PG_OK."""
    return _BY_STATUS.get(status, Error)(text)


def refuse_unsupported(function, arguments, harmless=()):
    """Names the first argument that the library has no meaning for. `harmless`: names with the values that change
    nothing here, or ... for any. None never does, nor does False where the name is not among them: what the library
    does not have is off."""
    allowed = dict(harmless)
    for name, value in arguments.items():
        values = allowed.get(name, (False,))
        if value is None or values is Ellipsis or value in values:
            continue
        raise NotImplementedError(f"{function}: the argument {name}={value!r} is not supported")
