"""A stranger's ONNX model: what of it is refused, and a session in which it can take only so much memory."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from gailkit.errors import DataError, InputError, StorageError
from gailkit.untrusted.limits import MEMORY_BYTES

MAX_BYTES = 256 * 2**20
OPERATORS = {"", "ai.onnx", "ai.onnx.ml"}  # the domains whose operators the standard defines
ONLY_FATAL = 4  # what onnxruntime would say on stderr comes as an exception as well
NUMBERS = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(uint8)": "uint8",
}
"""Kinds of input, as onnxruntime and as numpy call them."""
_AS_ASKED = 1  # the arena grows by what is asked of it


def content_of(path: Path) -> bytes:
    """The bytes of a file, of which there may be MAX_BYTES. Raises InputError where it has more, and StorageError."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise StorageError(f"{path} could not be read: {error.strerror or error}") from error
    if len(content) > MAX_BYTES:
        raise InputError(f"{path} is larger than a policy is; accepted are at most {MAX_BYTES} bytes")
    return content


def session_of(path: Path, content: bytes) -> Any:
    """An onnxruntime session of a model that has been checked, on the CPU in one thread.

    Raises:
        DataError: if it is more than onnxruntime understands.
    """
    import onnxruntime

    _bound_what_runs()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = ONLY_FATAL
    options.add_session_config_entry("session.use_env_allocators", "1")
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library declares no base of what it raises
        raise DataError(f"{path} cannot be run by onnxruntime: {first_line(error)}") from error


def check_model(path: Path, content: bytes) -> None:
    """Look at a model; nothing of it is run.

    Raises:
        InputError: if it is not self-contained: weights in other files, operators that the standard does not define,
            or that run others.
        DataError: if it is no ONNX model, or damaged.
    """
    import onnx

    try:
        model = onnx.ModelProto.FromString(content)
    except Exception as error:  # which class it is belongs to protobuf, not to onnx
        raise DataError(f"{path} is damaged or no ONNX model: {first_line(error)}") from error
    if not model.graph.output:
        raise DataError(f"{path} is damaged or no ONNX model: it computes nothing")
    _check_operators(path, model)
    for tensor in _tensors(model):
        if tensor.data_location == tensor.EXTERNAL or tensor.external_data:
            raise InputError(
                f"{path} keeps its weights ({tensor.name or 'a constant'}) in another file, which is not read; export "
                "it as one file (external_data=False)"
            )


def first_line(error: Exception) -> str:
    """What a library says, its first line and not too much of it."""
    line = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return line if len(line) <= 200 else f"{line[:197]}..."


@cache
def _bound_what_runs() -> None:
    """Let all sessions that ask for it share an arena of at most MEMORY_BYTES."""
    import onnxruntime

    memory = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    bound = onnxruntime.OrtArenaCfg({"max_mem": MEMORY_BYTES, "arena_extend_strategy": _AS_ASKED})
    onnxruntime.create_and_register_allocator(memory, bound)


def _check_operators(path: Path, model: Any) -> None:
    own = {function.domain for function in model.functions}
    for graph in _graphs(model):
        for node in graph.node:
            if node.domain not in OPERATORS | own:
                raise InputError(
                    f"{path} uses the operator {node.domain}.{node.op_type}; only those of ONNX itself are run"
                )
        for owner, attribute in _attributes(graph):
            if attribute.HasField("g") or attribute.graphs:
                raise InputError(
                    f"{path} uses {owner}, which runs operators in a loop or by choice; accepted are models that run "
                    "each operator once"
                )


def _graphs(model: Any) -> Iterator[Any]:
    """The graph of the model, and those of its functions; graphs that lie in others are refused."""
    yield from (model.graph, *model.functions)
    for training in model.training_info:
        yield from (training.initialization, training.algorithm)


def _attributes(graph: Any) -> Iterator[tuple[str, Any]]:
    """Each attribute, and the operator or function whose it is."""
    for node in graph.node:
        yield from ((node.op_type, attribute) for attribute in node.attribute)
    yield from ((graph.name, attribute) for attribute in getattr(graph, "attribute_proto", ()))  # a function's defaults


def _tensors(model: Any) -> Iterator[Any]:
    for graph in _graphs(model):
        yield from getattr(graph, "initializer", ())
        sparse = list(getattr(graph, "sparse_initializer", ()))
        for _, attribute in _attributes(graph):
            yield from (attribute.t, *attribute.tensors)
            sparse += [attribute.sparse_tensor, *attribute.sparse_tensors]
        for tensor in sparse:
            yield from (tensor.values, tensor.indices)
