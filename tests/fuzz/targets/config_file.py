"""The configuration file: `p2pchat.config`.

A file is read or ConfigError says in a line what is wrong; what was read can be used.
"""

from math import isfinite
from pathlib import Path
from tempfile import NamedTemporaryFile

import msgspec

from p2pchat.config import Config, archive_bind, load_file, make_config, rendezvous_servers
from p2pchat.errors import ConfigError
from tests.fuzz.cuts import pieces
from tests.fuzz.targets import words
from tests.fuzz.watch import check_shown

MAX_LENGTH = 2048
WORDS = (
    *words.VALUES,
    *(
        key
        for section in Config.__struct_fields__
        for key in words.keys(section, *getattr(Config(), section).__struct_fields__)
    ),
    *(b"\xef\xbb\xbf", b'"127.0.0.1:8080"', b'"[::1]:8080"', b'"DEBUG"', b'"json"', b" - at `"),
    *(b"` - at `$.", b'"fe80::1%eth0"', b'"10.0.0.1"'),
)


def check(data: bytes) -> None:
    """Start with this file."""
    with NamedTemporaryFile() as file:
        file.write(b"".join(pieces(data)))
        file.flush()
        try:
            content = load_file(Path(file.name))
        except ConfigError as error:
            check_shown(error)
            return
    config = make_config(content, {})
    archive_bind(config)
    for host, port in rendezvous_servers(config.rendezvous):
        assert host, "no host"
        assert 1 <= port <= 65535, "a port that is none"
        host.encode("utf-8")
    for section in msgspec.structs.asdict(config).values():
        for value in msgspec.structs.asdict(section).values():
            assert not isinstance(value, float) or isfinite(value), "a time that never comes"
