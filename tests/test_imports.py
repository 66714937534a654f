"""Imports run one way, and the core knows no IO: checked on the syntax trees."""

import ast
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import p2pchat

ROOT = Path(p2pchat.__file__).parent

#: Parts that show the node one service each and know nothing of each other.
WINGS = {"chat", "rendezvous", "archive", "store"}

#: Modules that bytes and time go through, and nothing else.
SANS_IO = {
    "text",
    "identity",
    "errors",
    "events",
    "config",
    "counts",
    "sections",
    *(
        f"chat.{name}"
        for name in (
            *("messages", "codec", "session", "outbound", "link", "peers"),
            *("outbox", "owed", "keepalive", "snapshots"),
        )
    ),
    *(
        f"archive.{name}"
        for name in (
            *("record", "archive", "kernel", "incoming", "codec", "own", "replica"),
            *("addresses", "goodwill", "storage", "link"),
            *("kernel.seam", "kernel.choice", "kernel.python", "kernel.lanes"),
        )
    ),
    # what SQLite is asked; the connection comes from elsewhere
    *(
        f"store.{name}"
        for name in (
            *("words", "shelf", "notebook", "rows", "errors", "schema", "queries"),
            *("statements", "takeover", "answers", "check", "owner"),
        )
    ),
    *(
        f"rendezvous.{name}"
        for name in (
            *("messages", "replies", "answers", "listing", "roll", "registry", "limits", "errors"),
            *("answering", "tally", "proxy_header", "lines", "strict"),
        )
    ),
}

#: Modules that twistd loads: they choose the reactor and hand it to all others.
TAPS = {"tap", "rendezvous_tap"}

#: What a front end may know of the node.
KNOWN_TO_UI = {"", "api", "config", "errors", "events", "history", "identity", "text", "ui"}


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Yield each module's name without `p2pchat.`, and its tree."""
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield name, ast.parse(path.read_text("utf-8"), str(path))


def imports(tree: ast.Module) -> Iterator[str]:
    """Yield the full name of all that a module imports, anywhere in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(tree: ast.Module) -> set[str]:
    """Return the modules of this package that a module imports, without `p2pchat.`."""
    names = set()
    for imported in imports(tree):
        package, _, rest = imported.partition(".")
        if package == "p2pchat":
            is_module = (ROOT / rest.replace(".", "/")).with_suffix(".py").is_file()
            names.add(rest if is_module else rest.rpartition(".")[0])
    return names


def top(module: str) -> str:
    return module.partition(".")[0]


TREES = dict(modules())


class Imports(SynchronousTestCase):
    def test_the_modules_named_here_exist(self) -> None:
        self.assertLessEqual(SANS_IO, TREES.keys())
        self.assertIn("chat.codec", ours(TREES["chat.session"]))

    def test_the_core_imports_no_twisted(self) -> None:
        for name in SANS_IO:
            used = [imported for imported in imports(TREES[name]) if top(imported) == "twisted"]
            self.assertEqual(used, [], name)

    def test_nor_does_it_by_way_of_another_module(self) -> None:
        for name in SANS_IO:
            # the type of a Deferred in NodeApi and History, whose values are filled in, can't be
            # avoided; _lanes is compiled
            known = SANS_IO | {"", "api", "history", "archive.kernel._lanes"}
            self.assertEqual(ours(TREES[name]) - known, set(), name)

    def test_only_a_tap_imports_the_reactor(self) -> None:
        for name, tree in TREES.items():
            if name not in TAPS:
                for imported in imports(tree):
                    self.assertFalse(imported.startswith("twisted.internet.reactor"), name)

    def test_nobody_but_tap_imports_the_front_ends_and_nobody_imports_tap(self) -> None:
        for name, tree in TREES.items():
            tops = {top(imported) for imported in ours(tree)}
            self.assertEqual(tops & TAPS, set(), name)
            if top(name) not in ("ui", "tap"):
                self.assertNotIn("ui", tops, name)

    def test_nobody_but_the_taps_knows_of_metrics(self) -> None:
        for name, tree in TREES.items():
            if top(name) != "metrics" and name not in TAPS:
                self.assertNotIn("metrics", {top(imported) for imported in ours(tree)}, name)

    def test_the_wings_do_not_import_each_other_nor_the_node(self) -> None:
        for name, tree in TREES.items():
            if top(name) in WINGS:
                tops = {top(imported) for imported in ours(tree)}
                self.assertEqual(tops & (WINGS | {"node"}) - {top(name)}, set(), name)

    def test_front_ends_know_the_node_by_its_interface_and_events_only(self) -> None:
        for name, tree in TREES.items():
            if top(name) == "ui":
                self.assertLessEqual({top(imported) for imported in ours(tree)}, KNOWN_TO_UI, name)
