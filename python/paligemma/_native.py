"""The library: found, loaded and declared. C objects as handles that free themselves, C memory as NumPy arrays."""
import ctypes
import os
import pathlib
import signal
import threading
import weakref

import numpy as np

from . import _header as header
from ._errors import error_of

SONAME = "libpaligemma.so.0"


def _candidates():
    """Where the library may be: where the user says, inside the package (wheels), in the tree that the package is part
    of, and where the system looks."""
    named = os.environ.get("PALIGEMMA_LIBRARY")
    if named:
        return [named]
    package = pathlib.Path(__file__).resolve().parent
    return [*map(str, package.glob("lib*/" + SONAME)), str(package.parent.parent / "build" / SONAME), SONAME]


def _open():
    problems = []
    for path in _candidates():
        try:
            return ctypes.CDLL(path)
        except OSError as error:
            problems.append(str(error))
    raise ImportError("paligemma: the library was not found; set PALIGEMMA_LIBRARY to libpaligemma.so. Tried: " +
                      "; ".join(problems))


def _raise_failure(status, function, arguments):
    """ctypes calls this with what a function that returns pg_status has returned, in the same thread."""
    if status != header.PG_OK:
        text = library.pg_error_last().decode("utf-8", "replace")
        raise error_of(status, text)
    return status


def _declare(loaded):
    for name, (result, arguments) in header.FUNCTIONS.items():
        try:
            function = getattr(loaded, name)
        except AttributeError:
            raise ImportError(f"paligemma: the library lacks {name}: it is older than this package") from None
        function.restype, function.argtypes = result, arguments
        if name in header.FALLIBLE:
            function.errcheck = _raise_failure
    if loaded.pg_version().decode() != header.VERSION:
        raise ImportError(f"paligemma: the library is version {loaded.pg_version().decode()}, the package "
                          f"{header.VERSION}")
    return loaded


library = _declare(_open())


class Handle:
    """A C object, and its end when nobody holds it any more. Functions of the library take it as it is. `keep`: what
    must live as long as the object does."""

    def __init__(self, pointer, free, *keep):
        self._as_parameter_ = pointer
        self.keep = keep
        self.close = weakref.finalize(self, free, pointer)


def make(kind, function, free, *arguments, keep=()):
    """Calls a function whose first parameter is where it puts a new `kind`, and returns the handle of that."""
    out = ctypes.POINTER(kind)()
    function(ctypes.byref(out), *arguments)
    return Handle(out, free, *keep)


def options(kind):
    """An option structure, filled by its _init function."""
    result = kind()
    getattr(library, kind.__name__ + "_init")(ctypes.byref(result))
    return result


# ---------------------------------------------------------------- texts


def encode(text):
    """Text as the library takes it."""
    if not isinstance(text, str):
        raise TypeError(f"expected a text, found {type(text).__name__}")
    if "\0" in text:
        raise ValueError("the text has a NUL character in it")
    return text.encode("utf-8")


def path_bytes(path):
    return os.fsencode(os.fspath(path))


def strings(texts):
    """A char ** of these texts, which keeps them alive."""
    return (ctypes.c_char_p * len(texts))(*map(encode, texts))


def _take(function, arguments):
    """The bytes of the text that a function of the library puts into its first parameter; None for NULL."""
    out = ctypes.c_char_p()
    function(ctypes.byref(out), *arguments)
    try:
        return out.value
    finally:
        library.pg_free(out)


def take_text(function, *arguments):
    """The text that a function of the library puts into its first parameter."""
    return _take(function, arguments).decode("utf-8")


def take_path(function, *arguments):
    """The same, a file's name, which need not be UTF-8; None where there is none."""
    name = _take(function, arguments)
    return None if name is None else os.fsdecode(name)


def take_bytes(function, *arguments):
    """The bytes that a function of the library puts into its first two parameters."""
    out, size = ctypes.POINTER(ctypes.c_uint8)(), ctypes.c_size_t()
    function(ctypes.byref(out), ctypes.byref(size), *arguments)
    try:
        return ctypes.string_at(out, size.value)
    finally:
        library.pg_free(out)


# ---------------------------------------------------------------- arrays


def pointer_to(array, kind):
    """A pointer to the array's memory, which must be contiguous; the array must live as long as it is used."""
    return array.ctypes.data_as(ctypes.POINTER(kind))


def empty(shape, dtype):
    """An array that begins at a multiple of 64 bytes, as other libraries want it to share it without a copy."""
    dtype = np.dtype(dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    memory = np.empty(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start:start + size].view(dtype).reshape(shape)


class _View:
    """C memory as NumPy asks for it; holds what owns the memory."""

    def __init__(self, address, shape, dtype, owner, writable):
        self.owner = owner
        self.__array_interface__ = {"version": 3, "data": (address, not writable), "shape": tuple(shape),
                                    "typestr": np.dtype(dtype).str}


def view(pointer, shape, dtype, owner, writable=False):
    """C memory as an array without a copy. The array keeps `owner` alive."""
    address = ctypes.cast(pointer, ctypes.c_void_p).value
    if not address or 0 in shape:
        return np.empty(shape, dtype)
    return np.asarray(_View(address, shape, dtype, owner, writable))


# ---------------------------------------------------------------- callbacks


class Guard:
    """Callbacks for one call of the library. An exception in one ends the call, and is raised again behind it: C has
    no exceptions. Ctrl-C ends the call with its next callback; Python would raise KeyboardInterrupt somewhere on the
    way into that, from where nothing leads out."""

    def __init__(self):
        self.error = None
        self._handler = None

    def _interrupt(self, *_):
        if self.error is not None:  # impatience
            raise KeyboardInterrupt
        self.error = KeyboardInterrupt()

    def wrap(self, kind, function, on_error):
        """`function` as a C callback that returns `on_error` once something went wrong."""

        def guarded(*arguments):
            if self.error is not None:
                return on_error
            try:
                return function(*arguments)
            except BaseException as error:
                self.error = error
                return on_error

        return kind(guarded)

    def __enter__(self):
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._handler = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(self, kind, error, trace):
        if self._handler is not None:
            signal.signal(signal.SIGINT, self._handler)
        if self.error is not None:
            raise self.error
