"""SQS checksums as the API reference describes them, computed independently of any SDK."""

import hashlib
import struct


def of_body(body):
    """The MD5 of the body's UTF-8 bytes."""
    return hashlib.md5(body.encode()).hexdigest()


def of_attributes(attributes):
    """The MD5 over the attributes in order of name: of each the name, type, a transport byte and the value."""
    pieces = []
    for name in sorted(attributes):
        attribute = attributes[name]
        pieces += [_sized(name.encode()), _sized(attribute["DataType"].encode())]
        if attribute["DataType"].startswith("Binary"):
            pieces += [b"\x02", _sized(attribute["BinaryValue"])]
        else:
            pieces += [b"\x01", _sized(attribute["StringValue"].encode())]
    return hashlib.md5(b"".join(pieces)).hexdigest()


def _sized(value):
    return struct.pack(">I", len(value)) + value
