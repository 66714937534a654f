"""Tells cffi how `_lanes` is built: md5.c, called with the interpreter's lock released.

In setup.py's words: `cffi_modules = ["p2pchat/archive/kernel/lanes_build.py:ffi"]`, read from the
root of the project.
"""

from pathlib import Path

from cffi import FFI

FOLDER = Path("p2pchat/archive/kernel")

ffi = FFI()
ffi.cdef((FOLDER / "md5.h").read_text("ascii"))
ffi.set_source(
    "p2pchat.archive.kernel._lanes",
    '#include "md5.h"',
    sources=[str(FOLDER / "md5.c")],
    include_dirs=[str(FOLDER)],
    depends=[str(FOLDER / name) for name in ("md5.h", "lanes.h")],
    extra_compile_args=["-O2"],
    optional=True,
)
