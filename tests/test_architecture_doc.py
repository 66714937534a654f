"""docs/architecture.md leads to every module, and to none that is not there."""

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

TREE = Path(__file__).parents[1]
ROOT = TREE / "p2pchat"
PAGE = (TREE / "docs" / "architecture.md").read_text("utf-8")

#: The folders that have a section of their own, and the words it begins with.
SECTIONS = {
    "chat": "The chat wing",
    "store": "The store wing",
    "rendezvous": "The rendezvous wing",
    "archive": "The archive wing",
    "ui": "The faces",
    "metrics": "Metrics",
}


class ArchitectureTests(SynchronousTestCase):
    def test_the_section_of_each_folder_has_its_modules(self) -> None:
        for folder, title in SECTIONS.items():
            section = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
            self.assertEqual(modules(ROOT / folder) - named(section), set(), title)

    def test_the_modules_above_them_are_somewhere(self) -> None:
        self.assertEqual(modules(ROOT) - named(PAGE), set())

    def test_what_is_named_is_there(self) -> None:
        files = (*ROOT.rglob("*.py"), *TREE.glob("tests/*.py"), TREE / "setup.py")
        there = {path.name for path in files}
        self.assertEqual(named(PAGE) - there, set())


def modules(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*.py")} - {"__init__.py"}


def named(text: str) -> set[str]:
    """Return the files that a text names, alone or with their folders."""
    return set(re.findall(r"(\w+\.py)\b", text))
