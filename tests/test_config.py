"""The configuration: defaults < file < command line, and errors that name place, key and remedy."""

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.config import (
    OPTIONS,
    Archive,
    Config,
    Peer,
    Rendezvous,
    archive_bind,
    find_config_file,
    load_file,
    make_config,
    parse_archive_peer,
    parse_server,
    rendezvous_servers,
)
from p2pchat.errors import ConfigError
from p2pchat.identity import Address
from tests.temporary import temporary_path

ROOT = Path(__file__).parents[1]

#: What users of earlier clients have in their files.
EARLIER: dict[str, dict[str, Any]] = {
    "rendezvous": {"host": "45.0.0.1", "port": 8080},
    "peer": {"namespace": "CIC", "name": "alice", "port": 4000},
    "connection": {
        "max_reconnect_attempts": 5,
        "reconnect_backoff_base": 2,
        "reconnect_backoff_max": 60,
        "ping_interval": 30,
        "ack_timeout": 5,
        "discovery_interval": 60,
    },
    "logging": {"level": "INFO", "file": "p2p.log"},
}


class Merging(SynchronousTestCase):
    def test_every_key_is_optional(self) -> None:
        self.assertEqual(make_config({}, {}), Config())
        for section in EARLIER:
            self.assertEqual(make_config({section: {}}, {}), Config())

    def test_the_defaults(self) -> None:
        config = Config()
        for section, keys in EARLIER.items():
            for key, value in keys.items():
                if (section, key) not in {
                    ("rendezvous", "host"),
                    ("peer", "name"),
                    ("logging", "file"),
                }:
                    self.assertEqual(getattr(getattr(config, section), key), value, key)
        self.assertEqual((config.rendezvous.host, config.rendezvous.embedded), ("127.0.0.1", True))
        self.assertEqual((config.peer.name, config.logging.file), (None, None))
        self.assertEqual((config.store.ephemeral, config.store.max_days), (False, None))
        self.assertEqual((config.outbox.max_days, config.outbox.legacy_retries), (7, 3))

    def test_a_file_of_an_earlier_client_is_taken_as_it_is(self) -> None:
        config = make_config(EARLIER, {})
        self.assertEqual(config.rendezvous.host, "45.0.0.1")
        self.assertEqual(config.peer.name, "alice")
        self.assertEqual(config.logging.file, "p2p.log")

    def test_the_command_line_is_laid_over_the_file(self) -> None:
        config = make_config(EARLIER, {"peer.name": "bob", "logging.level": "DEBUG"})
        self.assertEqual((config.peer.name, config.peer.namespace), ("bob", "CIC"))
        self.assertEqual((config.logging.level, config.logging.file), ("DEBUG", "p2p.log"))

    def test_the_file_is_left_as_it_was(self) -> None:
        content: dict[str, Any] = {"peer": {"name": "alice"}}
        make_config(content, {"peer.name": "bob", "rendezvous.port": 1})
        self.assertEqual(content, {"peer": {"name": "alice"}})

    def test_a_configuration_does_not_change(self) -> None:
        with self.assertRaises(AttributeError):
            Config().peer.name = "eve"


class Complaints(SynchronousTestCase):
    def complaint(self, content: Any) -> str:
        """Return what is said of a file with this content; it must be one printable line."""
        path = temporary_path(self)
        path.write_text(json.dumps(content), "utf-8")
        text = str(self.assertRaises(ConfigError, load_file, path))
        self.assertTrue(text.startswith(f"{path}: "), text)
        self.assertTrue(text.isprintable(), text)
        return text.removeprefix(f"{path}: ")

    def test_an_unknown_key_is_named_with_its_path(self) -> None:
        self.assertTrue(self.complaint({"peer": {"prot": 4000}}).startswith("peer.prot: unknown"))
        self.assertTrue(self.complaint({"pear": {}}).startswith("pear: unknown"))

    def test_what_would_have_been_known_is_said(self) -> None:
        self.assertIn("port", self.complaint({"peer": {"prot": 4000}}))

    def test_a_wrong_type_is_named_with_its_path_and_what_is_expected(self) -> None:
        for section, key, value, expected in (
            ("peer", "port", "4000", "expected a whole number"),
            ("peer", "port", True, "expected a whole number"),
            ("peer", "name", 5, "expected a text or null"),
            ("rendezvous", "embedded", "yes", "expected true or false"),
            ("connection", "ping_interval", "30", "expected a number, got a text"),
            ("logging", "level", "LOUD", "DEBUG, INFO, WARNING, ERROR"),
            ("limits", "max_links", None, "expected a whole number"),
            ("rendezvous", "servers", "a:1", "expected a list"),
            ("archive", "enabled", 1, "expected true or false"),
            ("store", "ephemeral", 0, "expected true or false"),
            ("store", "max_days", "7", "expected a number or null"),
            ("outbox", "max_messages", 1.5, "expected a whole number"),
            ("archive", "peers", "10.0.0.2", "expected a list"),
            ("archive", "port", "51511", "expected a whole number"),
            ("archive", "max_archive_bytes", 1e6 + 0.5, "expected a whole number"),
        ):
            text = self.complaint({section: {key: value}})
            self.assertTrue(text.startswith(f"{section}.{key}: "), text)
            self.assertIn(expected, text)

    def test_a_value_out_of_range(self) -> None:
        for section, key, values in (
            ("peer", "port", (0, -1, 65536)),
            ("rendezvous", "port", (0, 70000)),
            ("rendezvous", "host", ("",)),
            ("peer", "name", ("", "a\nb", "x" * 65)),
            ("peer", "namespace", ("", "\u202e", "x" * 65)),
            ("peer", "bind", ("localhost", "10.0.0.1:80", "10.0.0")),
            ("store", "max_messages", (0, -1)),
            ("store", "max_days", (0, -1, 1e6, float("nan"))),
            ("outbox", "max_days", (0, -7, 4000, float("inf"))),
            ("outbox", "max_per_peer", (0,)),
            ("outbox", "legacy_retries", (-1,)),
            ("connection", "ping_interval", (0, -5, 1e9, float("nan"), float("inf"))),
            ("connection", "ack_timeout", (0, -0.1)),
            ("connection", "max_reconnect_attempts", (-1,)),
            ("connection", "reconnect_backoff_base", (0.5, 1000)),
            ("limits", "max_links", (0, -1)),
            ("rendezvous", "servers", (["nowhere"], ["a:0"], ["a:b"], [":80"])),
            ("archive", "bind", ("localhost", "::1", "10.0.0.1:51511", "10.0.0", "0010.0.0.1")),
            ("archive", "peers", ([""], ["a:0"], ["a:b"], [":80"], ["::1"], ["a b"], ["a", ""])),
            ("archive", "port", (0, 65536)),
            ("archive", "progress_timeout", (0, 86401)),
            ("archive", "max_archive_bytes", (1023, 2**30 + 1)),
            ("archive", "miners", (0, 65)),
            ("archive", "max_peers", (0,)),
        ):
            for value in values:
                text = self.complaint({section: {key: value}})
                self.assertTrue(text.startswith(f"{section}.{key}"), (value, text))

    def test_what_is_no_object(self) -> None:
        for content in ([], 5, "peer", None, {"peer": []}, {"peer": None}):
            self.complaint(content)

    def test_a_key_that_looks_like_what_is_said_of_one(self) -> None:
        for key in ("a` - at `zzz", "a - at `$.peer", "a` - at `$.zzz", "a` - at `$.__init__"):
            for content in ({key: 1}, {"peer": {key: 1}}):
                self.assertIn("unknown", self.complaint(content))

    def test_what_would_disturb_the_screen_is_shown_as_escapes(self) -> None:
        for character, shown in (("\x1b[2J", "\\x1b[2J"), ("\n", "\\x0a"), ("\ufeff", "\\ufeff")):
            self.assertIn(shown, self.complaint({f"a{character}b": 1}))
            self.assertIn(shown, self.complaint({"peer": {f"a{character}b": 1}}))

    def test_half_a_character_is_no_text(self) -> None:
        half = "\ud800"
        for content in (
            {half: 1},
            {"peer": {half: 1}},
            {"logging": {"level": half}},
            {"logging": {"file": half}},
            {"rendezvous": {"servers": [f"{half}:1"]}},
        ):
            self.assertIn("half a character", self.complaint(content))
        error = self.assertRaises(ConfigError, make_config, {}, {"logging.level": half})
        self.assertIn("half a character", str(error))

    def test_a_file_that_can_not_be_read_or_is_not_json(self) -> None:
        path = temporary_path(self)
        self.assertIn(str(path), str(self.assertRaises(ConfigError, load_file, path)))
        for content in (
            b"",
            b"{",
            b"\xff\xfe",
            b"[" * 100_000,
            b'{"peer": {}} x',
        ):
            path.write_bytes(content)
            text = str(self.assertRaises(ConfigError, load_file, path))
            self.assertTrue(text.startswith(f"{path}: "), text)
        path.unlink()
        path.mkdir()
        self.assertRaises(ConfigError, load_file, path)

    def test_an_error_of_an_option_names_the_option(self) -> None:
        for override, option in (
            ({"peer.port": 70000}, "--port"),
            ({"peer.name": ""}, "--name"),
            ({"peer.bind": "nowhere"}, "--bind"),
            ({"logging.level": "LOUD"}, "--log-level"),
            ({"rendezvous.servers": [""]}, "--rendezvous"),
            ({"archive.port": 0}, "--archive-port"),
            ({"archive.bind": "::1"}, "--archive-bind"),
            ({"archive.peers": ["a:b"]}, "--archive-peer"),
            ({"archive.peers": ["a", ""]}, "--archive-peer"),
        ):
            text = str(self.assertRaises(ConfigError, make_config, {}, override))
            self.assertTrue(text.startswith(f"{option}: "), text)

    _json = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
        max_leaves=4,
    )
    _keys = st.sampled_from(
        [
            *("name", "namespace", "port", "host", "bind", "level", "file", "servers"),
            *("ping_interval", "peers", "enabled", "max_archive_bytes"),
        ]
    )

    @settings(deadline=None, max_examples=100)
    @given(
        st.dictionaries(
            st.sampled_from([*EARLIER, "limits", "archive"]),
            st.dictionaries(_keys, _json, max_size=3),
        )
    )
    def test_nothing_else_is_raised_for_any_content(self, content: dict[str, Any]) -> None:
        try:
            config = make_config(content, {})
        except ConfigError:
            return
        self.assertIsInstance(config, Config)
        rendezvous_servers(config.rendezvous)


class Files(SynchronousTestCase):
    def test_the_folder_we_are_in_comes_before_the_users_own(self) -> None:
        here, own = temporary_path(self), temporary_path(self)
        for folder in (here, own):
            folder.mkdir()
        self.assertIsNone(find_config_file(here, own))
        (own / "config.json").write_text("{}")
        self.assertEqual(find_config_file(here, own), own / "config.json")
        (here / "config.json").write_text("{}")
        self.assertEqual(find_config_file(here, own), here / "config.json")

    def test_a_good_file_is_returned_as_it_is(self) -> None:
        path = temporary_path(self)
        path.write_text(json.dumps(EARLIER))
        self.assertEqual(load_file(path), EARLIER)
        # as some editors save it
        path.write_text("\ufeff" + path.read_text("utf-8"), "utf-8")
        self.assertEqual(load_file(path), EARLIER)


class Servers(SynchronousTestCase):
    def test_host_and_port(self) -> None:
        for text, address in (
            ("127.0.0.1:8080", Address("127.0.0.1", 8080)),
            ("example.org:1", Address("example.org", 1)),
            ("[::1]:65535", Address("::1", 65535)),
        ):
            self.assertEqual(parse_server(text, "x"), address)

    def test_anything_else_names_the_place(self) -> None:
        for text in ("", "host", ":80", "host:", "host:0", "host:65536", "host:8a", "host:-1",
                     "host:٨٠", "host:" + "9" * 5000):  # fmt: skip
            error = self.assertRaises(ConfigError, parse_server, text, "--rendezvous")
            self.assertTrue(str(error).startswith("--rendezvous: "), text)

    def test_which_are_used(self) -> None:
        self.assertEqual(rendezvous_servers(Rendezvous()), [Address("127.0.0.1", 8080)])
        self.assertEqual(rendezvous_servers(Rendezvous(servers=())), [])
        several = Rendezvous(host="ignored", servers=("a:1", "b:2"))
        self.assertEqual(rendezvous_servers(several), [Address("a", 1), Address("b", 2)])


class ArchiveAddresses(SynchronousTestCase):
    def test_a_host_with_or_without_a_port(self) -> None:
        for text, address in (
            ("127.0.0.2", Address("127.0.0.2", 51511)),
            ("example.org", Address("example.org", 51511)),
            ("127.0.0.2:1", Address("127.0.0.2", 1)),
            ("example.org:65535", Address("example.org", 65535)),
        ):
            self.assertEqual(parse_archive_peer(text, 51511, "x"), address)

    def test_anything_else_names_the_place_in_one_line(self) -> None:
        for text in ("", " ", ":80", "host:", "host:0", "host:65536", "host:8a", "host:-1", "a b",
                     "host ", "a\nb", "::1", "[::1]:80", "host:1:2", "host:٨٠", " " * 5000,
                     "host:" + "9" * 5000, "alice@CIC"):  # fmt: skip
            error = self.assertRaises(ConfigError, parse_archive_peer, text, 51511, "/connect")
            self.assertTrue(str(error).startswith("/connect: expected HOST or HOST:PORT"), text)
            self.assertTrue(str(error).isprintable(), text)
            self.assertLess(len(str(error)), 200)

    def test_the_two_protocols_have_a_port_each(self) -> None:
        content = {"peer": {"port": 51511}}
        with self.assertRaisesRegex(ConfigError, "archive.port: the same as peer.port, 51511"):
            make_config(content, {})
        make_config({**content, "archive": {"enabled": False}}, {})

    def test_what_can_never_be_dialled_is_refused(self) -> None:
        for host in ("999.1.1.1", "1.2.3", "224.0.0.1", "0.0.0.0", "a..b", "x" * 300):
            with self.assertRaises(ConfigError, msg=host):
                parse_archive_peer(host, 51511, "/connect")
        for host in ("127.0.0.1", "localhost", "bücher.example", "a-b.example.org"):
            self.assertEqual(parse_archive_peer(host, 51511, "/connect").host, host)

    def test_where_it_listens(self) -> None:
        chat, archive = Peer(bind="127.0.0.2"), Archive(bind="127.0.0.3")
        for config, bind in (
            (Config(), ""),
            (Config(peer=chat), "127.0.0.2"),
            (Config(archive=archive), "127.0.0.3"),
            (Config(peer=chat, archive=archive), "127.0.0.3"),
            (Config(peer=Peer(bind="::1")), "127.0.0.1"),
            (Config(peer=Peer(bind="::")), ""),
        ):
            self.assertEqual(archive_bind(config), bind)


class Shipped(SynchronousTestCase):
    """The file and the page that come with the program."""

    def test_the_example_says_what_holds_without_it(self) -> None:
        self.assertEqual(make_config(load_file(ROOT / "config.json"), {}), Config())

    def test_every_key_has_its_row_with_its_option(self) -> None:
        page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
        rows = [line.split("|")[1:-1] for line in page.splitlines() if line.startswith("| `")]
        documented = {row[0].strip(" `"): row[3] for row in rows if len(row) == 4}
        keys = {
            f"{section}.{key}"
            for section in Config.__struct_fields__
            for key in getattr(Config(), section).__struct_fields__
        }
        self.assertEqual(documented.keys(), keys)
        for key, option in OPTIONS.items():
            self.assertIn(f"`{option}", documented[key])
