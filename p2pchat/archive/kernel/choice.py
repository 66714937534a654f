"""Which kernel this process uses."""

from p2pchat.archive.kernel.python import PythonKernel
from p2pchat.archive.kernel.seam import Kernel

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
