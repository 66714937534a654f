"""Writing the history to a file: what can go wrong on the way."""

import os

from twisted.internet.defer import Deferred, execute
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import RequestError
from p2pchat.history import StoreError
from p2pchat.ui import exporting
from p2pchat.ui.exporting import export_file
from tests.ui.fakes import make_folder
from tests.ui.test_said import entry


async def pages_of(*pages):
    """Yield pages; an error among them is raised."""
    for page in pages:
        if isinstance(page, Exception):
            raise page
        yield page


class ExportTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = make_folder(self)

    def export(self, *pages, name: str = "all") -> "Deferred[tuple[str, int]]":
        path = str(self.folder / name)
        return Deferred.fromCoroutine(export_file(pages_of(*pages), path, execute))

    def test_pages_follow_each_other(self) -> None:
        path, count = self.successResultOf(self.export([entry("a"), entry("b")], [entry("c")]))
        self.assertEqual((path, count), (str(self.folder / "all"), 3))
        with open(path) as file:
            self.assertEqual(len(file.readlines()), 3)

    def test_a_file_that_was_begun_is_taken_away(self) -> None:
        for error in (StoreError("no"), ZeroDivisionError()):
            self.failureResultOf(self.export([entry("a")], error), type(error))
            self.assertEqual(list(self.folder.iterdir()), [])

    def test_a_full_disk(self) -> None:
        def fail(fd: int) -> None:
            raise OSError(28, os.strerror(28))

        self.patch(exporting.os, "fsync", fail)
        error = self.failureResultOf(self.export([entry("a")]), RequestError).value
        self.assertIn("No space left on device", str(error))
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_a_link_is_not_followed(self) -> None:
        (self.folder / "all").symlink_to(self.folder / "other")
        self.assertIn(
            "is there already", str(self.failureResultOf(self.export(), RequestError).value)
        )
        self.assertFalse((self.folder / "other").exists())

    def test_the_users_folder(self) -> None:
        self.patch(os, "environ", {"HOME": str(self.folder)})
        writing = Deferred.fromCoroutine(export_file(pages_of(), "~/mine", execute))
        self.assertEqual(self.successResultOf(writing), (str(self.folder / "mine"), 0))

    def test_a_user_that_is_not_there(self) -> None:
        writing = Deferred.fromCoroutine(export_file(pages_of(), "~no such user/x", execute))
        self.failureResultOf(writing, RequestError)

    def test_a_name_that_no_file_can_have(self) -> None:
        self.failureResultOf(self.export(name="a\0b"), RequestError)
        self.failureResultOf(self.export(name="x" * 300), RequestError)
