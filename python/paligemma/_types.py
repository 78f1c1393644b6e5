"""Names of types that the public interface shares."""
from __future__ import annotations

import os
from typing import Any, Union

PathLike = Union[str, "os.PathLike[str]"]
ImageLike = Any  # a Picture, a file's name or bytes, a PIL image, an array, a torch tensor
ImagesLike = Any  # one of these, or a list of them
ArrayLike = Any  # a NumPy array, a torch tensor, nested lists
