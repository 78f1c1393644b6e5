"""The declarations: those of the header, laid out as the compiler lays them out."""
import ctypes
import subprocess
import sys

import pytest
from conftest import ROOT

GENERATOR = ROOT / "tools" / "make_bindings.py"


def test_declarations_are_the_headers():
    subprocess.run([sys.executable, GENERATOR, "--check"], check=True)


def test_structures_are_laid_out_as_in_c(paligemma, tmp_path):
    from paligemma import _header
    source, program = tmp_path / "layout.c", tmp_path / "layout"
    source.write_bytes(subprocess.run([sys.executable, GENERATOR, "--layout"], check=True,
                                      stdout=subprocess.PIPE).stdout)
    subprocess.run(["cc", f"-I{ROOT / 'include'}", source, "-o", program], check=True)
    lines = subprocess.run([program], check=True, stdout=subprocess.PIPE).stdout.decode().splitlines()
    assert len(lines) > 50
    for line in lines:
        name, *numbers = line.split()
        structure = getattr(_header, name)
        offsets = [getattr(structure, field[0]).offset for field in structure._fields_]
        assert [ctypes.sizeof(structure), *offsets] == list(map(int, numbers)), name


def test_errors_have_kinds(paligemma):
    with pytest.raises(OSError) as caught:
        paligemma.Picture("/nowhere.png")
    assert isinstance(caught.value, paligemma.FileError) and "/nowhere.png" in str(caught.value)
    with pytest.raises(paligemma.FormatError):
        paligemma.Picture(b"these are no picture's bytes")
