"""ONNX Runtime: a graph of one step whose caches are inputs and outputs."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from rtwave.wavenet.config import LOG_SCALE_MAX, LOG_SCALE_MIN

from .course import Course
from .peer import Fold, Peer

OPSET, IR_VERSION = 20, 10
"""Old enough for every onnxruntime that pyproject.toml allows."""


class Graph:
    """Nodes and constants as they are called for; a name stands for each result."""

    def __init__(self) -> None:
        self.nodes, self.constants = [], []

    def constant(self, value: object) -> str:
        """The name of a value that never changes."""
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def call(self, kind: str, *inputs: object, to: str | None = None, parts: int = 1, **attributes: object):
        """The name of an operation's result, or the names of its parts; arrays among the inputs become constants."""
        names = [item if isinstance(item, str) else self.constant(item) for item in inputs]
        results = [to] if to else [f"{kind.lower()}{len(self.nodes)}_{part}" for part in range(parts)]
        self.nodes.append(helper.make_node(kind, names, results, **attributes))
        return results if kind == "Split" else results[0]


def step_graph(fold: Fold, noise: np.ndarray) -> onnx.ModelProto:
    """sample (1,), ring (rows, R) and t (1,) in; next_sample, next_ring and outputs (1, O) out.

    The past taps of all layers are looked up and multiplied together; rows are vectors, so Gemm adds bias or stream.
    """
    graph = Graph()
    call = graph.call
    layers, _, columns = fold.gate.shape
    rows, r = fold.past.shape
    taps, gaussian = columns - 1 - r, fold.entry.ndim == 1
    gate = fold.gate
    around = call("Mod", "t", np.array([len(noise)]))
    turn = call("Mod", "t", np.array([len(fold.slots)]))
    slots = call("Gather", fold.slots, turn)
    oldest = call("Gather", fold.slots[:, :, :1], turn)
    past = call("Gather", "ring", call("Reshape", slots, np.array([-1])))
    past = call("MatMul", call("Reshape", past, np.array([layers, 1, taps])), gate[..., :taps].transpose(0, 2, 1))
    past = call("Reshape", call("Add", past, gate[:, None, :, -1]), np.array([layers, 2 * r]))
    past = call("Split", past, parts=layers, num_outputs=layers)
    h = call("Mul", "sample", fold.entry[None]) if gaussian else call("Gather", fold.entry, "sample")
    if fold.drive is not None:
        h = call("Add", h, call("Gather", fold.drive, around))
    stream, gated = [], []
    for layer in range(layers):
        stream.append(h)
        z = call("Tanh", call("Gemm", h, gate[layer, :, taps:-1], past[layer], transB=1))
        f, g = call("Split", z, parts=2, axis=1, num_outputs=2)
        gated.append(call("Add", f, call("Mul", f, g)))
        if layer < len(fold.residual):
            h = call("Gemm", gated[-1], fold.residual[layer], h, transB=1)
    at = call("Reshape", oldest, np.array([layers, 1]))
    call("ScatterND", "ring", at, call("Concat", *stream, axis=0), to="next_ring")
    skipped = call("Relu", call("Gemm", call("Concat", *gated, axis=1), fold.skip, transB=1))
    heads = call("Relu", call("Gemm", skipped, fold.hidden, fold.hidden_bias, transB=1))
    call("Gemm", heads, fold.output, fold.output_bias, transB=1, to="outputs")
    drawn = call("Gather", noise, around)
    if gaussian:
        mean, log_scale = call("Split", "outputs", parts=2, axis=1, num_outputs=2)
        scale = call("Exp", call("Clip", log_scale, np.float32(LOG_SCALE_MIN), np.float32(LOG_SCALE_MAX)))
        call("Reshape", call("Add", mean, call("Mul", scale, drawn)), np.array([1]), to="next_sample")
    else:
        call("ArgMax", call("Add", "outputs", drawn), axis=1, keepdims=0, to="next_sample")
    kind = TensorProto.FLOAT if gaussian else TensorProto.INT64
    state = {"sample": (kind, [1]), "ring": (TensorProto.FLOAT, [rows, r])}
    inputs = [helper.make_tensor_value_info(name, *form) for name, form in state.items()]
    results = [helper.make_tensor_value_info(f"next_{name}", *form) for name, form in state.items()]
    inputs.append(helper.make_tensor_value_info("t", TensorProto.INT64, [1]))
    results.append(helper.make_tensor_value_info("outputs", TensorProto.FLOAT, [1, len(fold.output)]))
    body = helper.make_graph(graph.nodes, "step", inputs, results, graph.constants)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return model


class OnnxStep(Peer):
    """One run a sample; the next sample and ring are bound to the memory of the last.

    Each is made of what was read there, so in whatever order nodes run, it is read first. ScatterND copies nothing
    where input and output are one: 20x64x256 takes a fifth less time so than with two rings in turn.
    """

    def __init__(self, course: Course) -> None:
        super().__init__(course)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        model = step_graph(self.fold, course.noise).SerializeToString()
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.binding = self.session.io_binding()
        self.t = np.zeros(1, np.int64)
        share = onnxruntime.OrtValue.ortvalue_from_numpy  # no copy
        for name, array in {"sample": self.sample, "ring": self.fold.past}.items():
            value = share(array)
            self.binding.bind_ortvalue_input(name, value)
            self.binding.bind_ortvalue_output(f"next_{name}", value)
        self.binding.bind_ortvalue_input("t", share(self.t))
        self.binding.bind_ortvalue_output("outputs", share(self.outputs[None]))

    @property
    def versions(self) -> str:
        """ONNX Runtime's."""
        return f"onnxruntime {onnxruntime.__version__}"

    def step(self) -> None:
        """One sample."""
        self.session.run_with_iobinding(self.binding)
        self.t += 1
