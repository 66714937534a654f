"""Which kernel this process uses."""

from p2pchat.archive.kernel.python import PythonKernel
from p2pchat.archive.kernel.seam import Kernel
from p2pchat.text import visible

try:
    from p2pchat.archive.kernel.lanes import LanesKernel, widths
except ImportError:  # it was not built here, or not for this interpreter
    _lanes: "list[LanesKernel]" = []
else:
    _lanes = [LanesKernel(lanes) for lanes in widths()]


def kernels() -> list[Kernel]:
    """Return all that this machine can run, the slowest first."""
    return [PythonKernel(), *_lanes]


def choose(wanted: str) -> Kernel:
    """Return the kernel that is wanted: `python`, or lanes in a number; the fastest otherwise."""
    if wanted == "python":
        return PythonKernel()
    for kernel in _lanes:
        if wanted == str(kernel.lanes):
            return kernel
    return kernels()[-1]


def complaint(wanted: str) -> str:
    """Return why not what is wanted is used, or not what is fastest; "" if there is no reason to.

    Nobody would notice but by how long it takes.
    """
    names = ["python", *(str(kernel.lanes) for kernel in _lanes)]
    if wanted and wanted not in names:
        return (
            f"there is no kernel {visible(wanted)} here for the archive, only {', '.join(names)}; "
            f"using {choose(wanted).name}"
        )
    if not wanted and not _lanes:
        return (
            f"the archive is mined and verified by {choose(wanted).name}: the kernel in C, many "
            "times faster, was not built; install again where a C compiler is"
        )
    return ""
