"""Opening an ONNX file of a stranger's: nothing but the file itself is read, and nothing of it runs but arithmetic."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from gailkit.errors import DataError, InputError, StorageError

OPERATORS = {"", "ai.onnx", "ai.onnx.ml"}  # the domains whose operators the standard defines
ONLY_FATAL = 4  # what onnxruntime would say on stderr comes as an exception as well


def open_model(path: Path) -> Any:
    """An onnxruntime session of the model in ``path``, on the CPU in one thread.

    Raises:
        InputError: if onnx or onnxruntime is not installed, or the model is not self-contained: weights in other files,
            or operators that the standard does not define.
        DataError: if the file is no ONNX model, damaged, or more than onnxruntime understands.
    """
    missing = [name for name in ("onnx", "onnxruntime") if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"{path} needs a package that is not installed: pip install 'gailkit[onnx]'")
    content = _content(path)
    _check_self_contained(path, _parsed(path, content))
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = ONLY_FATAL
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library declares no base of what it raises
        raise DataError(f"{path} cannot be run by onnxruntime: {brief(error)}") from error


def brief(error: Exception) -> str:
    """What a library says, its first line and not too much of it."""
    line = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return line if len(line) <= 200 else f"{line[:197]}..."


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StorageError(f"{path} could not be read: {error.strerror or error}") from error


def _parsed(path: Path, content: bytes) -> Any:
    import onnx

    try:
        model = onnx.ModelProto.FromString(content)
    except Exception as error:  # which class it is belongs to protobuf, not to onnx
        raise DataError(f"{path} is damaged or no ONNX model: {brief(error)}") from error
    if not model.graph.output:
        raise DataError(f"{path} is damaged or no ONNX model: it computes nothing")
    return model


def _check_self_contained(path: Path, model: Any) -> None:
    own = {function.domain for function in model.functions}
    for node in _nodes(model):
        if node.domain not in OPERATORS | own:
            raise InputError(
                f"{path} uses the operator {node.domain}.{node.op_type}; only those of ONNX itself are run"
            )
    for tensor in _tensors(model):
        if tensor.data_location == tensor.EXTERNAL or tensor.external_data:
            raise InputError(
                f"{path} keeps its weights ({tensor.name or 'a constant'}) in another file, which is not read; export "
                "it as one file (external_data=False)"
            )


def _graphs(model: Any) -> Iterator[Any]:
    """The graph of the model, those of its functions, and all that lie in them."""
    waiting = [model.graph, *model.functions]
    for training in model.training_info:
        waiting += [training.initialization, training.algorithm]
    while waiting:
        graph = waiting.pop()
        yield graph
        for attribute in _attributes(graph.node):
            waiting += [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]


def _nodes(model: Any) -> Iterator[Any]:
    for graph in _graphs(model):
        yield from graph.node


def _tensors(model: Any) -> Iterator[Any]:
    for graph in _graphs(model):
        held = [attribute for attribute in _attributes(graph.node)]
        held += getattr(graph, "attribute_proto", [])  # defaults of a function
        for attribute in held:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
        yield from getattr(graph, "initializer", [])
        for sparse in getattr(graph, "sparse_initializer", []):
            yield from (sparse.values, sparse.indices)


def _attributes(nodes: Iterable[Any]) -> Iterator[Any]:
    for node in nodes:
        yield from node.attribute
