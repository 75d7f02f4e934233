"""The other way to carry a step's state: inside the model, in one TFLite resource variable.

A TFLite step graph in, the same graph out without `state` and `next_state`: it reads the
variable, which is zeros at first, and assigns it. A stream must also be saved, restored and
reset, so two more signatures read and assign it alone. Only measured; nothing ships it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from onwrist_runtime.manifest import NEXT_STATE, STATE

FILE_IDENTIFIER = b"TFL3"
OLD_BUILTIN_LIMIT = 127  # operator codes from here on live in the field that replaced a byte
STEP, SAVE, RESTORE = "step", "save", "restore"
FIRST = 1  # index of the subgraph that assigns zeros

Arrays = Mapping[str, NDArray[np.float32]]


class Inside:
    """LiteRT on such a graph: `run` takes and gives no state."""

    def __init__(self, content: bytes) -> None:
        self._interpreter = Interpreter(model_content=content, num_threads=1)
        self._interpreter.allocate_tensors()
        inputs = self._interpreter.get_input_details()
        outputs = self._interpreter.get_output_details()
        self._index = {t["name"]: t["index"] for t in (*inputs, *outputs)}
        self._outputs = [t["name"] for t in outputs]
        self.invoke = self._interpreter.invoke

    def run(self, inputs: Arrays) -> Arrays:
        interpreter, index = self._interpreter, self._index
        for name, tensor in inputs.items():
            interpreter.set_tensor(index[name], tensor)
        interpreter.invoke()
        return {name: interpreter.get_tensor(index[name]) for name in self._outputs}

    def save(self) -> NDArray[np.float32]:
        """The state (1, S)."""
        # A runner that is kept would make `invoke` refuse to run.
        state: NDArray[np.float32] = self._interpreter.get_signature_runner(SAVE)()[NEXT_STATE]
        return state

    def restore(self, state: NDArray[np.float32]) -> None:
        """Take a state (1, S); zeros are a reset."""
        self._interpreter.get_signature_runner(RESTORE)(**{STATE: state})


def with_variable(content: bytes) -> bytes:
    """A TFLite step graph with its state in a resource variable."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    (main,) = model.subgraphs
    state, next_state = _find(main, STATE), _find(main, NEXT_STATE)
    shape = main.tensors[state].shape
    model.buffers.append(_buffer(np.zeros(shape, np.float32)))
    zeros = len(model.buffers) - 1

    first = _subgraph("first")
    value = _tensor(first, "zeros", shape, zeros)
    first.operators = _assigned(model, first, value)

    main.operators = [
        _once(model),
        *_read(model, main, state),
        *main.operators,
        *_assigned(model, main, next_state),
    ]
    main.inputs = np.array([x for x in main.inputs if x != state], np.int32)
    main.outputs = np.array([x for x in main.outputs if x != next_state], np.int32)

    save = _subgraph(SAVE)
    out = _tensor(save, NEXT_STATE, shape)
    save.operators = [_once(model), *_read(model, save, out)]
    save.outputs = np.array([out], np.int32)

    restore = _subgraph(RESTORE)
    given = _tensor(restore, STATE, shape)
    restore.operators = [_once(model), *_assigned(model, restore, given)]
    restore.inputs = np.array([given], np.int32)

    model.subgraphs = [main, first, save, restore]
    model.signatureDefs = [
        _signature(model, STEP, 0),
        _signature(model, SAVE, 2),
        _signature(model, RESTORE, 3),
    ]
    builder = flatbuffers.Builder(len(content) + 2**16)
    builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
    return bytes(builder.Output())


def _find(graph: schema.SubGraphT, name: str) -> int:
    (found,) = (i for i, t in enumerate(graph.tensors) if t.name.decode() == name)
    return int(found)


def _subgraph(name: str) -> schema.SubGraphT:
    graph = schema.SubGraphT()
    graph.name, graph.tensors = name, []
    graph.inputs = graph.outputs = np.array([], np.int32)
    return graph


def _buffer(data: NDArray[np.float32]) -> schema.BufferT:
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(data.tobytes(), np.uint8)
    return buffer


def _tensor(
    graph: schema.SubGraphT,
    name: str,
    shape: Sequence[int],
    buffer: int = 0,
    kind: int = schema.TensorType.FLOAT32,
) -> int:
    tensor = schema.TensorT()
    tensor.name, tensor.type, tensor.buffer = name, kind, buffer
    tensor.shape = np.array(shape, np.int32)
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _operator(
    model: schema.ModelT,
    builtin: str,
    inputs: Sequence[int],
    outputs: Sequence[int],
    options: object,
) -> schema.OperatorT:
    code = getattr(schema.BuiltinOperator, builtin)
    known = [c.builtinCode for c in model.operatorCodes]
    if code not in known:
        new = schema.OperatorCodeT()
        new.builtinCode, new.version = code, 1
        new.deprecatedBuiltinCode = min(code, OLD_BUILTIN_LIMIT)
        model.operatorCodes.append(new)
        known.append(code)
    operator = schema.OperatorT()
    operator.opcodeIndex = known.index(code)
    operator.inputs = np.array(inputs, np.int32)
    operator.outputs = np.array(outputs, np.int32)
    kind = type(options).__name__.removesuffix("T")
    operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
    operator.builtinOptions = options
    return operator


def _once(model: schema.ModelT) -> schema.OperatorT:
    """Whichever signature is called first assigns the zeros."""
    options = schema.CallOnceOptionsT()
    options.initSubgraphIndex = FIRST
    return _operator(model, "CALL_ONCE", [], [], options)


def _handle(model: schema.ModelT, graph: schema.SubGraphT) -> tuple[int, schema.OperatorT]:
    """The variable, in one of the subgraphs that share it."""
    options = schema.VarHandleOptionsT()
    options.container, options.sharedName = "", STATE
    handle = _tensor(graph, "variable", [], kind=schema.TensorType.RESOURCE)
    return handle, _operator(model, "VAR_HANDLE", [], [handle], options)


def _read(model: schema.ModelT, graph: schema.SubGraphT, into: int) -> list[schema.OperatorT]:
    handle, made = _handle(model, graph)
    options = schema.ReadVariableOptionsT()
    return [made, _operator(model, "READ_VARIABLE", [handle], [into], options)]


def _assigned(
    model: schema.ModelT, graph: schema.SubGraphT, value: int
) -> list[schema.OperatorT]:
    handle, made = _handle(model, graph)
    options = schema.AssignVariableOptionsT()
    return [made, _operator(model, "ASSIGN_VARIABLE", [handle, value], [], options)]


def _signature(model: schema.ModelT, name: str, subgraph: int) -> schema.SignatureDefT:
    graph = model.subgraphs[subgraph]
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = name, subgraph
    signature.inputs = [_named(graph, i) for i in graph.inputs]
    signature.outputs = [_named(graph, i) for i in graph.outputs]
    return signature


def _named(graph: schema.SubGraphT, tensor: int) -> schema.TensorMapT:
    named = schema.TensorMapT()
    named.name, named.tensorIndex = graph.tensors[tensor].name, tensor
    return named
