"""The requests that nearly everybody sends, read in a tenth of the time that others take.

A line that is read here is what `messages.parse_request` makes of it too; whatever is unusual in
any way is left to that.
"""

from typing import Annotated

import msgspec

from p2pchat.identity import MAX_NAME_LENGTH
from p2pchat.rendezvous.messages import DEFAULT_TTL, Discover, Register, clamp_ttl
from p2pchat.text import is_printable

_Label = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME_LENGTH)]
_Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]


# Other keys may have values that only one of the two ways of reading takes.
class _Register(msgspec.Struct, tag_field="type", tag="REGISTER", forbid_unknown_fields=True):
    namespace: _Label
    name: _Label
    port: _Port
    ttl: int = DEFAULT_TTL


class _Discover(msgspec.Struct, tag_field="type", tag="DISCOVER", forbid_unknown_fields=True):
    namespace: _Label | msgspec.UnsetType = msgspec.UNSET


_DECODER = msgspec.json.Decoder(_Register | _Discover)


def read_request(line: bytes) -> Register | Discover | None:
    """Read one line, without its newline; None if it is not as plain as can be."""
    try:
        fields = _DECODER.decode(line)
    except (ValueError, RecursionError):
        return None
    if isinstance(fields, _Discover):
        return Discover(None if fields.namespace is msgspec.UNSET else fields.namespace)
    if not is_printable(fields.name) or not is_printable(fields.namespace):
        return None
    return Register(fields.namespace, fields.name, fields.port, clamp_ttl(fields.ttl))
