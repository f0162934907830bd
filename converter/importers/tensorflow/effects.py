"""Nodes that do something beside computing their outputs: which they are."""

from __future__ import annotations

from converter.importers.tensorflow.wiring import Key, Library, Wired

HARMLESS = frozenset(
    """
    ReadVariableOp VarHandleOp VarIsInitializedOp VariableV2 Variable VariableShape ResourceGather ResourceGatherNd
    Placeholder PlaceholderWithDefault HashTableV2 MutableHashTableV2 LookupTableFindV2 LookupTableSizeV2 LookupTableExportV2
    MutableHashTableOfTensorsV2 MutableDenseHashTableV2
    RandomUniform RandomStandardNormal RandomUniformInt TruncatedNormal ParameterizedTruncatedNormal RandomShuffle Multinomial
    RandomGamma RandomPoissonV2 RandomPoisson StatelessIf StatelessWhile StatelessCase TensorArrayV3 TensorArraySizeV3
    TensorArrayReadV3 TensorArrayGatherV3 TensorArrayConcatV3 TensorListReserve TensorListSetItem TensorListStack
    RngReadAndSkip AnonymousSeedGenerator DummySeedGenerator StackV2 CollectiveReduceV2 CudnnRNN CudnnRNNV2 CudnnRNNV3
    """.split()
)
"""Ops declared stateful that do nothing to be seen where their outputs are not read: reading, and drawing numbers."""

VARIABLE_OPS = frozenset(["VarHandleOp", "VariableV2", "Variable"])
SILENT = {
    "PrintV2": "printing is left out",
    "WriteSummary": "summaries are not written",
    "WriteScalarSummary": "summaries are not written",
    "WriteHistogramSummary": "summaries are not written",
    "WriteImageSummary": "summaries are not written",
    "WriteAudioSummary": "summaries are not written",
}
"""Ops whose effect is for who watches the model: they are left out, and that is told."""
CALLS = {
    "PartitionedCall": ("f",),
    "StatefulPartitionedCall": ("f",),
    "If": ("then_branch", "else_branch"),
    "While": ("cond", "body"),
}


def read(wired: Wired) -> tuple[Key, ...]:
    """The operands that decide what a node does: a check has its condition, what it would say is left out."""
    return wired.inputs[:1] if wired.node.op == "Assert" else wired.inputs


class Effects:
    """Knows of each node whether it must run although nothing reads it."""

    def __init__(self, library: Library, notes: list[str]) -> None:
        self.library, self.notes = library, notes
        self._functions: dict[str, bool] = {}

    def of_node(self, wired: Wired) -> bool:
        """Whether a node does something beside computing its outputs; a call does where the function does."""
        node = wired.node
        if node.op in self.library.functions:
            return self._of_function(node.op)
        if node.op in CALLS:
            return any(self._of_function(node.attr[a].func.name) for a in CALLS[node.op])
        if node.op == "Case":
            return any(self._of_function(f.name) for f in node.attr["branches"].list.func)
        if node.op in SILENT:
            if SILENT[node.op] not in self.notes:
                self.notes.append(SILENT[node.op])
            return False
        declared = self.library.definition(node.op)
        return declared is None or (declared.stateful and node.op not in HARMLESS)

    def _of_function(self, name: str) -> bool:
        if name not in self._functions:
            self._functions[name] = False  # a function that calls itself is refused where it is called
            if name not in self.library.functions:
                self._functions[name] = True
            else:
                body = self.library.body(name)
                self._functions[name] = any(map(self.of_node, body.nodes.values()))
        return self._functions[name]
