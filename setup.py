"""Builds the archive's arithmetic in C if that can be done; setup.cfg holds all the rest."""

import sys
from typing import Any

from setuptools import setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError, CompileError

WITHOUT = "p2pchat: built without the C kernel ({}); the archive is mined and verified by hashlib"


class BuildIfPossible(build_ext):
    """An extension that cannot be built costs one line, not the installation."""

    def build_extension(self, ext: Any) -> None:
        try:
            super().build_extension(ext)
        except (BaseError, CCompilerError, CompileError, OSError):
            print(WITHOUT.format("no compiler, or not one for it"), file=sys.stderr)


def kernel() -> dict[str, Any]:
    """Return what setup() has to be told of the extension."""
    try:
        import cffi  # noqa: F401 - is it there?
    except ImportError:
        print(WITHOUT.format("there is no cffi"), file=sys.stderr)
        return {}
    return {"cffi_modules": ["p2pchat/archive/kernel/lanes_build.py:ffi"]}


setup(cmdclass={"build_ext": BuildIfPossible}, **kernel())
