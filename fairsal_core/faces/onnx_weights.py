"""The tensors in an ONNX file, and nothing else of it.

The package `onnx` would be one more to install and audit, for three fixed files of known layers. What is read here has not changed
since the format's first version: a file is a protobuf message whose field 7 is the graph, the graph's field 5 its tensors, and a
tensor has shape (1), type (2), numbers as packed floats (4) or raw bytes (9), and name (8).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_GRAPH, _TENSOR = 7, 5
_SHAPE, _TYPE, _FLOATS, _NAME, _RAW = 1, 2, 4, 8, 9
_FLOAT32 = 1
_VARINT, _EIGHT_BYTES, _LENGTH_GIVEN, _FOUR_BYTES = 0, 1, 2, 5


def onnx_tensors(content: bytes) -> dict[str, NDArray[np.float32]]:
    """Return the float32 tensors (initialisers) of an ONNX file, by name; ValueError if it does not read as one."""
    found = {}
    for field, graph in _fields(content):
        if field != _GRAPH or not isinstance(graph, bytes):
            continue
        for part, tensor in _fields(graph):
            if part == _TENSOR and isinstance(tensor, bytes):
                name, values = _tensor(tensor)
                found[name] = values
    return found


def _tensor(message: bytes) -> tuple[str, NDArray[np.float32]]:
    shape: list[int] = []
    name, content, kind = "", b"", 0
    for field, value in _fields(message):
        if field == _SHAPE and isinstance(value, int):
            shape.append(value)
        elif field == _TYPE and isinstance(value, int):
            kind = value
        elif field == _NAME and isinstance(value, bytes):
            name = value.decode()
        elif field in (_FLOATS, _RAW) and isinstance(value, bytes):
            content = value
    if kind != _FLOAT32:
        raise ValueError(f"tensor '{name}' is of type {kind}, not float32")
    return name, np.frombuffer(content, dtype="<f4").astype(np.float32).reshape(shape)


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Give number and value of each field of a protobuf message."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        field, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield field, value
            continue
        if kind == _LENGTH_GIVEN:
            length, at = _varint(message, at)
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            length = 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"field {field} has the unknown kind {kind}")
        if at + length > len(message):
            raise ValueError(f"field {field} goes on beyond the end")
        yield field, message[at : at + length]
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Return the whole number that begins at a place, seven bits a byte, and the place after it."""
    value = shift = 0
    while True:
        if at >= len(message):
            raise ValueError("the message ends within a number")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
