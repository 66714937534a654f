"""Every error of this package is one of a kind that callers can tell apart."""

import ast
import inspect

from twisted.trial.unittest import SynchronousTestCase

from p2pchat import errors
from tests.test_imports import TREES

#: What may be raised besides our own: for callers that are programs, and to end the process.
STANDARD = {
    "ValueError",
    "NotImplementedError",
    "SystemExit",
    "UsageError",
    "IndexError",
    "OSError",
}


class Errors(SynchronousTestCase):
    def kinds(self) -> list[type]:
        return [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]

    def test_all_have_one_base_and_a_docstring(self) -> None:
        self.assertGreater(len(self.kinds()), 5)
        for kind in self.kinds():
            self.assertTrue(issubclass(kind, errors.P2PChatError), kind)
            self.assertTrue(kind.__doc__, kind)

    def test_our_fault_is_not_theirs(self) -> None:
        for one, other in (
            (errors.LocalProtocolError, errors.RemoteProtocolError),
            (errors.RemoteProtocolError, errors.LocalProtocolError),
            (errors.QueueFullError, errors.ProtocolError),
            (errors.RequestError, errors.ProtocolError),
        ):
            self.assertFalse(issubclass(one, other), (one, other))

    def test_nothing_else_is_raised_on_purpose(self) -> None:
        own = {kind.__name__ for kind in self.kinds()}
        for name, tree in TREES.items():
            declared = {n.name for n in ast.walk(tree) if isinstance(n, ast.ClassDef)}
            imported = {
                alias.name
                for n in ast.walk(tree)
                if isinstance(n, ast.ImportFrom) and (n.module or "").startswith("p2pchat")
                for alias in n.names
            }
            for raised in self.raised(tree):
                self.assertIn(raised, own | STANDARD | declared | imported, name)

    def raised(self, tree: ast.Module) -> list[str]:
        """Return the names of the classes that a module raises by a call."""
        calls = [n.exc for n in ast.walk(tree) if isinstance(n, ast.Raise)]
        functions = [call.func for call in calls if isinstance(call, ast.Call)]
        return [function.id for function in functions if isinstance(function, ast.Name)]
