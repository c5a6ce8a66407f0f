"""A policy out of an ONNX file: what it does, what does not fit, and that nothing but the file is read."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, flatten

from gailkit.errors import DataError, InputError, StorageError
from gailkit.experts.onnx import onnx_policy
from gailkit.experts.resolve import expert_files, expert_policy
from gailkit.spaces import flatten_values, flattened_space, from_gymnasium, unflatten_values

onnx = pytest.importorskip("onnx", reason="NOT TESTED: policies in ONNX files; pip install 'gailkit[onnx]'")
pytest.importorskip("onnxruntime", reason="NOT TESTED: policies in ONNX files; pip install 'gailkit[onnx]'")
helper, numpy_helper, TensorProto = onnx.helper, onnx.numpy_helper, onnx.TensorProto

OWN = helper.make_opsetid("own", 1)
PLANE = Box(-np.inf, np.inf, (2,), np.float32)
SLIDER = Box(-1.0, 1.0, (3,), np.float32)
LATE = Discrete(3, start=5)
WEIGHT = np.array([[1.0, 0.0, -1.0], [0.0, 2.0, 0.0]], np.float32)  # (2, 3)
ROWS = np.array([[0.5, 0.1], [0.1, 0.9], [-4.0, 0.0]], np.float32)

Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """``save(nodes, outputs)``: a model of one input x (B, 2), with the weight w (2, 3), as a file."""

    def write(
        nodes: Sequence[Any],
        outputs: Sequence[tuple[str, int, Sequence[Any]]],
        batch: Any = "B",
        input_type: int = TensorProto.FLOAT,
        change: Callable[[Any], object] = lambda model: None,
        **more: Any,
    ) -> Path:
        graph = helper.make_graph(
            nodes,
            "policy",
            [helper.make_tensor_value_info("x", input_type, [batch, 2])],
            [helper.make_tensor_value_info(*output) for output in outputs],
            [numpy_helper.from_array(WEIGHT, "w")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, **more)
        change(model)
        path = tmp_path / "policy.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    return write


def linear(save: Save, name: str = "y", **changes: Any) -> Path:
    """x w, so that the scores of ROWS are [.5, .2, -.5], [.1, 1.8, -.1] and [-4, 0, 4]."""
    nodes = [helper.make_node("MatMul", ["x", "w"], [name])]
    return save(nodes, [(name, TensorProto.FLOAT, [None, 3])], **changes)


@pytest.mark.parametrize("batch", ["B", None, 1])
def test_scores_choose_the_best_action_of_a_discrete_space(save: Save, batch: Any) -> None:
    assert onnx_policy(linear(save, batch=batch), PLANE, LATE)(ROWS).tolist() == [5, 6, 7]


@pytest.mark.parametrize("batch", ["B", 1])
def test_numbers_are_clipped_to_a_box(save: Save, batch: Any) -> None:
    actions = onnx_policy(linear(save, batch=batch), PLANE, SLIDER)(ROWS)
    np.testing.assert_allclose(actions, np.clip(ROWS @ WEIGHT, -1, 1), rtol=1e-6)
    assert actions.dtype == np.float32


def test_whole_numbers_are_the_actions_themselves(save: Save) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["scores"]),
        helper.make_node("ArgMax", ["scores"], ["chosen"], axis=1, keepdims=0),
    ]
    path = save(nodes, [("chosen", TensorProto.INT64, [None])])
    assert onnx_policy(path, PLANE, Discrete(3))(ROWS).tolist() == [0, 1, 2]
    with pytest.raises(InputError, match=r"returned the action 1; an action must be in Discrete\(3, start=5\)"):
        onnx_policy(path, PLANE, LATE)(ROWS[1:2])


def test_scores_choose_the_best_of_each_set_of_several_and_whole_numbers_are_the_choices(save: Save) -> None:
    several = MultiDiscrete([2, 1], start=[4, 0])  # scores 0 and 1, and 2 of no choice
    best = [[0, 1, 1] if row[1] > row[0] else [1, 0, 1] for row in ROWS @ WEIGHT]
    assert onnx_policy(linear(save), PLANE, several)(ROWS).tolist() == best
    bits = MultiBinary(3)
    assert onnx_policy(linear(save), PLANE, bits)(ROWS).tolist() == (ROWS @ WEIGHT > 0.5).astype(int).tolist()
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["y"]),
        helper.make_node("Cast", ["y"], ["n"], to=TensorProto.INT64),
    ]
    wide = MultiDiscrete([9, 9, 9], start=[-4, -4, -4])
    whole = onnx_policy(save(nodes, [("n", TensorProto.INT64, [None, 3])]), PLANE, wide)
    chosen = unflatten_values(flattened_space(wide), whole(ROWS))
    assert chosen.tolist() == np.trunc(ROWS @ WEIGHT).astype(int).tolist()
    with pytest.raises(InputError, match=r"as actions of MultiBinary\(2\); accepted are numbers of shape \['B', 2\]"):
        onnx_policy(linear(save), PLANE, MultiBinary(2))


def test_the_output_called_action_is_taken_wherever_it_stands(save: Save) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["action"]),
        helper.make_node("Neg", ["action"], ["value"]),
    ]
    path = save(nodes, [(name, TensorProto.FLOAT, [None, 3]) for name in ("value", "action")])
    assert onnx_policy(path, PLANE, LATE)(ROWS).tolist() == [5, 6, 7]


def test_observations_take_the_type_of_the_input(save: Save) -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["single"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["single", "w"], ["y"]),
    ]
    path = save(nodes, [("y", TensorProto.FLOAT, [None, 3])], input_type=TensorProto.DOUBLE)
    assert onnx_policy(path, PLANE, LATE)(ROWS).tolist() == [5, 6, 7]


PARTS = Dict({"w": Discrete(3, start=5), "x": Box(-9, 9, (2,), np.float32)})


@pytest.mark.parametrize("batch", ["B", 1])
def test_parts_of_an_observation_reach_the_inputs_called_as_they_are(save: Save, batch: Any) -> None:
    """The score of the action that part w names is the sum of part x, which is positive; that of others is 0."""
    nodes = [
        helper.make_node("Unsqueeze", ["w", "axis"], ["column"]),
        helper.make_node("Equal", ["column", "actions"], ["marked"]),
        helper.make_node("Cast", ["marked"], ["number"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["x", "axis"], ["sum"]),
        helper.make_node("Mul", ["number", "sum"], ["y"]),
    ]

    def change(model: Any) -> None:
        model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.INT64, [batch]))
        del model.graph.initializer[:]
        for name, values in {"actions": [[5, 6, 7]], "axis": [1]}.items():
            model.graph.initializer.append(numpy_helper.from_array(np.array(values, np.int64), name))

    path = save(nodes, [("y", TensorProto.FLOAT, [None, 3])], batch=batch, change=change)
    elements = [{"w": 5 + k, "x": np.array([k, 1], np.float32)} for k in (2, 0, 1)]
    rows = flatten_values(PARTS, from_gymnasium(PARTS, elements))
    assert onnx_policy(path, PARTS, LATE)(rows).tolist() == [7, 5, 6]
    other = Dict({"w": Discrete(3, start=5), "v": Box(-9, 9, (2,), np.float32)})
    with pytest.raises(InputError, match=r"accepted is one input .* \['B', 5\], or one for each of v, w, B being 1"):
        onnx_policy(path, other, LATE)


def test_parts_may_also_come_as_the_vector_that_gymnasium_makes(save: Save) -> None:
    pair = Dict({"b": Box(-9, 9, (1,), np.float32), "a": Box(-9, 9, (1,), np.float32)})
    elements = [{"a": row[:1], "b": row[1:]} for row in ROWS]
    rows = np.array([flatten(pair, element) for element in elements])
    assert onnx_policy(linear(save), pair, LATE)(rows).tolist() == [5, 6, 7]


@pytest.mark.parametrize(
    ("observations", "actions", "said"),
    [
        (Box(-1, 1, (4,)), LATE, r"inputs x tensor\(float\) \['B', 2\]; accepted is one input .* \['B', 4\]"),
        (PLANE, Discrete(4), r"returns float32 of shape \['B', 3\] .*Discrete\(4\).*scores of shape \['B', 4\]"),
        (PLANE, Box(-1, 1, (2,)), r"returns float32 of shape \['B', 3\].*accepted are numbers of shape \['B', 2\]"),
    ],
)
def test_what_does_not_fit_the_spaces_is_refused_with_both(
    save: Save, observations: Any, actions: Any, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        onnx_policy(linear(save), observations, actions)


def test_a_batch_of_another_fixed_size_is_refused(save: Save) -> None:
    with pytest.raises(InputError, match=r"x tensor\(float\) \[7, 2\].*B being 1 or any number"):
        onnx_policy(linear(save, batch=7), PLANE, LATE)


def test_a_score_that_is_no_number_is_refused(save: Save) -> None:
    policy = onnx_policy(linear(save), PLANE, LATE)
    with pytest.raises(InputError, match="not a number"):
        policy(np.full((1, 2), np.nan, np.float32))


def test_a_model_that_fails_when_it_runs_is_told_with_the_shape(save: Save) -> None:
    nodes = [
        helper.make_node("Constant", [], ["two"], value_ints=[2, 3]),
        helper.make_node("MatMul", ["x", "w"], ["z"]),
        helper.make_node("Reshape", ["z", "two"], ["y"]),
    ]
    with pytest.raises(InputError, match=r"failed for observations of shape \(1, 2\)"):
        onnx_policy(save(nodes, [("y", TensorProto.FLOAT, [None, 3])]), PLANE, LATE)


def outside(tensor: Any, location: str) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)


def test_weights_in_another_file_are_not_read(save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_bytes(WEIGHT.tobytes())
    monkeypatch.chdir(tmp_path)  # where onnxruntime would look
    path = linear(save, change=lambda model: outside(model.graph.initializer[0], "secret"))
    with pytest.raises(InputError, match=r"keeps its weights \(w\) in another file, which is not read"):
        onnx_policy(path, PLANE, LATE)


def own(name: str, nodes: Sequence[Any]) -> Any:
    """A function of the model's own, from a to b."""
    return helper.make_function("own", name, ["a"], ["b"], nodes, [helper.make_opsetid("", 17), OWN])


def calling(save: Save, functions: Sequence[Any], name: str) -> Path:
    """The scores of ``linear``, changed by the function ``name``."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["z"]),
        helper.make_node(name, ["z"], ["y"], domain="own"),
    ]
    outputs = [("y", TensorProto.FLOAT, [None, 3])]
    return save(nodes, outputs, functions=functions, change=lambda model: model.opset_import.append(OWN))


def test_nor_are_constants_deep_inside(save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_bytes(WEIGHT.tobytes())
    monkeypatch.chdir(tmp_path)
    constant = numpy_helper.from_array(WEIGHT, "hidden")
    outside(constant, "secret")
    nodes = [helper.make_node("Constant", [], ["k"], value=constant), helper.make_node("Add", ["a", "k"], ["b"])]
    with pytest.raises(InputError, match=r"keeps its weights \(hidden\) in another file"):
        onnx_policy(calling(save, [own("Odd", nodes)], "Odd"), PLANE, LATE)


def endless() -> list[Any]:
    """From a to b, over and over."""
    yes, value = helper.make_tensor_value_info, TensorProto.FLOAT
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Identity", ["in"], ["out"])],
        "body",
        [yes("i", TensorProto.INT64, []), yes("go", TensorProto.BOOL, []), yes("in", value, None)],
        [yes("on", TensorProto.BOOL, []), yes("out", value, None)],
    )
    return [
        helper.make_node("Constant", [], ["yes"], value=helper.make_tensor("yes", TensorProto.BOOL, [], [True])),
        helper.make_node("Loop", ["", "yes", "a"], ["b"], body=body),
    ]


def test_a_loop_is_not_run(save: Save) -> None:
    loop = [helper.make_node("MatMul", ["x", "w"], ["a"]), *endless(), helper.make_node("Identity", ["b"], ["y"])]
    for path in (
        lambda: save(loop, [("y", TensorProto.FLOAT, [None, 3])]),
        lambda: calling(save, [own("Odd", endless())], "Odd"),
    ):
        with pytest.raises(InputError, match="uses Loop, which runs operators in a loop or by choice; accepted are"):
            onnx_policy(path(), PLANE, LATE)


def filled(*shape: int) -> list[Any]:
    """Zeros of this shape, which none has to write down, added up."""
    sizes = helper.make_tensor("sizes", TensorProto.INT64, [len(shape)], shape)
    return [
        helper.make_node("Constant", [], ["sizes"], value=sizes),
        helper.make_node("ConstantOfShape", ["sizes"], ["zeros"]),
        helper.make_node("ReduceSum", ["zeros"], ["sum"], keepdims=0),
        helper.make_node("Add", ["a", "sum"], ["b"]),
    ]


@pytest.mark.parametrize("size", [2**30, 2**45])
def test_more_memory_than_a_policy_needs_is_not_there(save: Save, size: int) -> None:
    with pytest.raises((InputError, DataError), match=r"policy\.onnx (failed for|cannot be run)"):
        onnx_policy(calling(save, [own("Odd", filled(size))], "Odd"), PLANE, LATE)


def test_nor_in_a_later_call(save: Save) -> None:
    """The size is that of the observation: nothing for zeros, 2**30 numbers for one of 2**30."""
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["most"], keepdims=0),
        helper.make_node("Cast", ["most"], ["whole"], to=TensorProto.INT64),
        helper.make_node("Constant", [], ["one"], value_ints=[1]),
        helper.make_node("Reshape", ["whole", "one"], ["sizes"]),
        helper.make_node("ConstantOfShape", ["sizes"], ["zeros"]),
        helper.make_node("ReduceSum", ["zeros"], ["sum"], keepdims=0),
        helper.make_node("MatMul", ["x", "w"], ["z"]),
        helper.make_node("Add", ["z", "sum"], ["y"]),
    ]
    policy = onnx_policy(save(nodes, [("y", TensorProto.FLOAT, [None, 3])]), PLANE, LATE)
    assert policy(ROWS).tolist() == [5, 6, 7]
    with pytest.raises(InputError, match=r"failed for observations of shape \(1, 2\)"):
        policy(np.full((1, 2), 2.0**30, np.float32))


def test_a_function_that_calls_others_twice_and_so_on_is_ended(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written out, this model has 2**40 operators."""
    monkeypatch.setattr("gailkit.experts.onnx_trial.PATIENCE", 2)
    functions = [own("F0", [helper.make_node("Neg", ["a"], ["b"])])]
    for depth in range(1, 41):
        inner = [helper.make_node(f"F{depth - 1}", [name], [to], domain="own") for name, to in (("a", "c"), ("c", "b"))]
        functions.append(own(f"F{depth}", inner))
    with pytest.raises(DataError, match="trying it with one observation took too long"):
        onnx_policy(calling(save, functions, "F40"), PLANE, LATE)


def test_one_that_calls_itself_is_refused(save: Save) -> None:
    again = own("F", [helper.make_node("F", ["a"], ["b"], domain="own")])
    with pytest.raises(DataError, match="cannot be run"):
        onnx_policy(calling(save, [again], "F"), PLANE, LATE)


@pytest.mark.parametrize(
    ("program", "ending"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "was ended by SIGSEGV"),
        (
            "import os, signal; print('{\"checked\": 1}', flush=True); os.kill(os.getpid(), signal.SIGXCPU)",
            "took too long",
        ),
        ("", "ended with code 0"),
        ("1 / 0", "ended with code 1"),
    ],
)
def test_a_model_that_was_not_found_harmless_is_refused(
    save: Save, monkeypatch: pytest.MonkeyPatch, program: str, ending: str
) -> None:
    """Whatever becomes of the process that tries it: these programs stand in its place."""
    monkeypatch.setattr("gailkit.experts.onnx_trial._START", program)
    with pytest.raises(DataError, match=f"cannot be run: trying it with one observation {ending}"):
        onnx_policy(linear(save), PLANE, LATE)


def test_a_file_larger_than_any_policy_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gailkit.experts.onnx_model.MAX_BYTES", 100)
    (tmp_path / "a.onnx").write_bytes(bytes(101))
    with pytest.raises(InputError, match="larger than a policy is; accepted are at most 100 bytes"):
        onnx_policy(tmp_path / "a.onnx", PLANE, LATE)


def test_operators_beyond_the_standard_are_not_run(save: Save) -> None:
    nodes = [helper.make_node("EPContext", ["x"], ["y"], domain="com.microsoft", ep_cache_context="/etc/passwd")]
    with pytest.raises(InputError, match=r"uses the operator com\.microsoft\.EPContext; only those of ONNX itself"):
        onnx_policy(save(nodes, [("y", TensorProto.FLOAT, [None, 3])]), PLANE, LATE)


def test_a_function_in_the_model_is_run(save: Save) -> None:
    path = calling(save, [own("Twice", [helper.make_node("Add", ["a", "a"], ["b"])])], "Twice")
    np.testing.assert_allclose(onnx_policy(path, PLANE, SLIDER)(ROWS[1:2]), [[0.2, 1.0, -0.2]], rtol=1e-6)


@pytest.mark.parametrize("cut", [0, 1, 20, 60, -1])
def test_a_damaged_file_is_one_sentence(save: Save, cut: int) -> None:
    path = linear(save)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match=r"policy\.onnx (is damaged|cannot be run)") as told:
        onnx_policy(path, PLANE, LATE)
    assert "\n" not in str(told.value)


def test_text_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_text("hello, hello")
    with pytest.raises(DataError, match="damaged or no ONNX model"):
        onnx_policy(tmp_path / "a.onnx", PLANE, LATE)


def test_a_file_that_cannot_be_read_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="could not be read"):
        onnx_policy(tmp_path, PLANE, LATE)


def test_without_the_library_it_says_how_to_get_it(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    path = linear(save)
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else find(name))
    with pytest.raises(InputError, match=r"not installed: pip install 'gailkit\[onnx\]'"):
        onnx_policy(path, PLANE, LATE)


def test_a_spec_names_it(save: Save) -> None:
    path = linear(save)
    assert expert_policy(str(path), PLANE, LATE, 0)(ROWS).tolist() == [5, 6, 7]
    assert expert_files(str(path)) == [path]
    with pytest.raises(InputError, match=r"no file .*polic\.onnx; near matches: .*policy\.onnx"):
        expert_policy(str(path.with_name("polic.onnx")), PLANE, LATE, 0)
