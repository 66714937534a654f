"""Every error this package raises on purpose.

LocalProtocolError is our own mistake and RemoteProtocolError is the other side's: the first is a
bug to mend, the second costs its sender the line or the link.
"""


class P2PChatError(Exception):
    """Base of all errors raised on purpose; its text is fit to be shown to the user."""


class ConfigError(P2PChatError):
    """A setting cannot be used; the text names the place, the key and what is expected."""


class StartError(P2PChatError):
    """The node cannot start, for instance because its port is taken."""


class RequestError(P2PChatError):
    """What the user asked for cannot be done; says why."""


class ProtocolError(P2PChatError):
    """A rule of a wire protocol is broken."""


class LocalProtocolError(ProtocolError):
    """We were about to send what the protocol forbids."""


class RemoteProtocolError(ProtocolError):
    """The other side sent what the protocol forbids."""


class LengthLimitError(RemoteProtocolError):
    """A message of the other side is longer than what is read of one."""


class QueueFullError(P2PChatError):
    """A bounded queue has no room; nothing of what was offered was taken."""
