"""The steps of `python -m benchmarks.hotspots` are functions of ours: a profile names no others."""

import ast
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import p2pchat
from benchmarks.hotspots import STEPS

ROOT = Path(p2pchat.__file__).parent


class StepTests(SynchronousTestCase):
    def test_each_step_is_a_function_of_its_file(self) -> None:
        for step in STEPS:
            with self.subTest(step=step.title.strip()):
                self.assertIn(step.function, functions(ROOT / step.file))


def functions(path: Path) -> set[str]:
    """Return the names of all functions and methods in a file."""
    nodes = ast.walk(ast.parse(path.read_text()))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
