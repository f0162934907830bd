"""Why some raw ops have no rule, and what to do instead."""

from __future__ import annotations

import functools
import re

Why = tuple[str, str]
"""A reason, and advice."""

_TEXT: Why = (
    "it works on text, which no target has",
    "cut the model behind it: name the tensors that it gives as inputs",
)
_FILES: Why = ("it works with files outside the graph", "read the file first, and give what it holds as an input")
_PYTHON: Why = ("it works with Python code outside the graph", "write the function with TensorFlow's own operations")
_QUEUE: Why = ("it works with queues outside the graph", "give what comes out of the queue as an input")
_DATA: Why = (
    "a step of a pipeline that feeds a model",
    "export the model's own function, and feed the converted model",
)
_MACHINES: Why = ("it moves numbers between devices or machines", "export the model for one device")
_GRADIENT: Why = ("a step of a gradient", "export the function of the forward pass")
_TRAINING: Why = ("a step of training, which computes new parameters", "export the model without its optimiser")
_SPARSE: Why = ("sparse tensors, which no target has", "make them dense with tf.sparse.to_dense before the model")
_RAGGED: Why = ("ragged tensors, whose rows have lengths of their own", "pad the rows to one length")
_TABLE: Why = (
    "a table that is filled or read while the model runs",
    "convert the loaded object, tf.saved_model.load(folder), whose tables are filled; or look up outside the model",
)
_TREES: Why = (
    "a step of boosted trees: no layer of a neural network",
    "run this part with TensorFlow before or behind the model",
)
_DEBUG: Why = ("it watches a model for those who debug it", "export the model without debugging")
_SUMMARY: Why = ("it writes for TensorBoard", "export the function without its summaries")
_PICTURES: Why = (
    "it reads or writes files of images or sound",
    "cut the model behind it: name the decoded tensor as an input",
)
_FUSED: Why = (
    "several steps over quantised integers in one kernel, whose roundings are its own",
    "export the model before quantisation, or with quantize_and_dequantize",
)
_HANDLES: Why = ("it works with resources outside the graph", "export a function that takes tensors and gives tensors")
_OLD_REFERENCES: Why = (
    "it writes to a variable of TensorFlow 1 by reference",
    "freeze the graph, or save it with resource variables",
)
_MAPS: Why = ("a map of tensors, whose keys only the run knows", "keep the tensors apart")
_DRAW: Why = (
    "random numbers of a kind of distribution that the IR does not draw",
    "draw outside the model, and give the numbers as an input",
)
_NUMERICS: Why = ("a method of linear algebra that the IR does not have", "compute it outside the model")
_TAKEN_BACK: Why = (
    "TensorFlow took it back, and cannot run it any more",
    "export the model with a TensorFlow of this day",
)
_COMPILER: Why = ("it is for TensorFlow's compilers and accelerators alone", "export the model for the CPU")
_CUDNN: Why = (
    "the order of cuDNN's parameters, which only a GPU tells",
    "save the weights of each layer by themselves",
)
_FRAMES: Why = (
    "a part of a loop or branch of TensorFlow 1 that does not stand in one",
    "save the graph with control flow of TensorFlow 2 (tf.compat.v1.enable_control_flow_v2)",
)
_ALONE: Why = ("no other framework has it, and nobody has asked for it", "spell it with other operations")
_REGION: Why = ("pieces of images cut out or drawn at places of the run", "cut the model before it")
_OLD_LISTS: Why = (
    "lists of tensors as the first versions of TensorFlow had them",
    "save the graph with a newer TensorFlow 1",
)

KINDS: tuple[tuple[str, Why], ...] = (
    (r".*(Dataset|Iterator)(V\d|FromStringHandle.*|Reader|GetNext.*|ToStringHandle|GetDevice)?", _DATA),
    (r"Dataset.*|(Anonymous|Delete|Make|Serialize|Deserialize)\w*Iterator\w*|Iterator\w+|MultiDeviceIterator\w+", _DATA),
    (r"Optional\w+|Unbatch|Batch|UnwrapDatasetVariant|WrapDatasetVariant|(Unc|C)ompressElement|\w*MemoryCache|Dummy\w+", _DATA),
    (r"GetElementAtIndex|ComputeBatchSize|GetOptions|\w*ThreadPoolHandle|\w*StatsAggregator\w*|RecordInput", _DATA),
    (r"\w*Queue\w*|Barrier\w*|(Ordered)?Map(Clear|Incomplete\w+|Peek|Size|Stage|Unstage\w*)|(Uns|S)tage\w*", _QUEUE),
    (r"(Stack|Accumulator|ConditionalAccumulator|SparseConditionalAccumulator|SparseAccumulator|ResourceAccumulator|"
     r"ResourceConditionalAccumulator)\w*", _QUEUE),
    (r"\w*String\w*|Regex\w+|StaticRegex\w+|Unicode\w+|AsString|Substr|\w*Join|Fingerprint|EditDistance", _TEXT),
    (r"\w*Parse\w*Example\w*|ParseTensor|SerializeTensor|Decode(CSV|JSONExample|Raw|PaddedRaw|Base64|Compressed|ProtoV2)|"
     r"Encode(Base64|Proto)|GenerateVocabRemapping|LoadAndRemapMatrix", _TEXT),
    (r"(Decode|Encode)\w+|ExtractJpegShape", _PICTURES),
    (r"\w*(Save|Restore)(V2|Slices?)?|DistributedSave|MergeV2Checkpoints|MatchingFiles|Sharded\w+|(Read|Write)File|"
     r"\w*Reader(V2)?|Reader\w+|ImmutableConst|FileSystem\w+", _FILES),
    (r"(Eager)?PyFunc(Stateless)?", _PYTHON),
    (r"\w*Summar\w*|ImportEvent|CreateSummary\w+", _SUMMARY),
    (r"Debug\w+|CheckPinned|DisableCopyOnRead|CopyHost|Copy|WorkerHeartbeat|Timestamp", _DEBUG),
    (r"(Collective|Nccl|AllToAll|Infeed|Outfeed|Prelinearize|Send|Recv|CrossReplica|Remote|GlobalIter)\w*|SyncDevice", _MACHINES),
    (r"\w*TPU\w*|Xla\w+|\w*SparseCore\w*|\w*Minibatch\w*|ConvertToCooTensor|AssignVariableXla\w+|ReadVariableXla\w+", _COMPILER),
    (r"GetStatsFrom\w+|MapDefun|DeviceIndex|WindowOp|StoreMini\w+", _COMPILER),
    (r"\w*(Grad|Gradient)(V2|V3|A|Boxes|Image|WithArgmax|GradV2)?|SymbolicGradient|\w*GradWith\w+|\w*BackpropFilter(V2)?|"
     r"Dilation2DBackpropInput|BroadcastGradientArgs|ConcatOffset", _GRADIENT),
    (r"(Resource|Resource\w*Sparse|Sparse)?Apply\w+|Sdca\w+|(Load|Retrieve)\w+Parameters", _TRAINING),
    (r"BoostedTrees\w+|Is(Boosted)\w+", _TREES),
    (r"(Resource)?Scatter(Nd)?(Add|Sub|Mul|Div|Min|Max|Update)|Assign(Add|Sub)?|Variable(V2)?|TemporaryVariable|CountUpTo|"
     r"DestroyTemporaryVariable|Ref\w+|StridedSliceAssign|IsVariableInitialized", _OLD_REFERENCES),
    (r"ResourceCountUpTo|DestroyResourceOp|Mutex\w+|ConsumeMutexLock|\w*Session\w*|Anonymous(Random)?SeedGenerator|"
     r"Delete\w*SeedGenerator|IsTPU\w+|VarIsInitializedOp|BatchFunction|Abort", _HANDLES),
    (r"\w*HashTable\w*|LookupTable\w+|InitializeTable\w*", _TABLE),
    (r"Ragged\w+", _RAGGED),
    (r"CTC\w+Decoder|Deserialize\w*Sparse|Serialize\w*Sparse|CSRSparse\w+|DenseToCSR\w+|DenseTo\w*SetOperation|SetSize|"
     r"\w*Sparse\w*TensorsMap|DenseCountSparse\w+|Sparse\w+|\w*SparseSetOperation", _SPARSE),
    (r"TensorMap\w+|EmptyTensorMap|CompositeTensor\w+", _MAPS),
    (r"Uniform(Quantized\w+|Requantize)|Quantized\w+|Requantiz\w+PerChannel", _FUSED),
    (r"\w*CandidateSampler|ComputeAccidentalHits|NearestNeighbors|K(MC2|means)\w+|SobolSample|Rng\w+|NonDeterministicInts|"
     r"Stateful\w+|Stateless\w*Random\w+|StatelessShuffle|Random\w+|\w*Sample\w*BoundingBox(V2)?|ParameterizedTruncated\w+|"
     r"Stateless\w+|Multinomial", _DRAW),
    (r"TensorArray(Close|Concat|Gather|Pack|Read|Scatter|Size|Split|Unpack|Write)?(V2)?", _OLD_LISTS),
    (r"DrawBoundingBoxes(V2)?|ExtractGlimpse(V2)?|ImageProjective\w+|GenerateBoundingBox\w+", _REGION),
    (r"Experimental\w+", _DATA),
    (r"CudnnRNNBackprop\w*", _GRADIENT),
    (r"Cudnn\w+", _CUDNN),
    (r"CTCLoss(V2)?|Conv2DBackpropInputV2|Conv3DBackpropInput", _TRAINING),
    (r"(Enter|Exit|LoopCond|Merge|NextIteration|Switch|For|FakeParam|ControlTrigger)", _FRAMES),
    (r"PrintV2", _DEBUG),
    (r"TensorArraySplitV3|TensorListPushBackBatch|VarHandleOp", _ALONE),
    (r"Batch(Cholesky|FFT|IFFT|Matrix|SelfAdjoint|Svd)\w*|TopK|SelfAdjointEig|Fact|BatchNormWithGlobal\w+|AdjustContrast",
     _TAKEN_BACK),
    (r"Matrix(Exponential|Logarithm|SquareRoot)", _NUMERICS),
)  # fmt: skip
"""Kinds of ops that have none, by the whole name; the first that fits says why."""

OPS: dict[str, Why] = {
    "ApproxTopK": ("the nearly largest elements, which depend on the device", "use tf.math.top_k"),
    "IsotonicRegression": ("a regression that pools neighbours one after another", "compute it outside the model"),
    "Expint": ("an exponential integral, which the IR does not have", "compute it outside the model"),
    "Betainc": ("an incomplete beta function, which the IR does not have", "compute it outside the model"),
    **dict.fromkeys(
        ("Dawsn", "FresnelCos", "FresnelSin", "Spence"),
        ("a special function that the IR does not have", "compute it outside the model"),
    ),
    **dict.fromkeys(
        ("FractionalAvgPool", "FractionalMaxPool"),
        ("pooling whose borders are drawn at random", "use pooling with fixed windows"),
    ),
}  # fmt: skip
"""Ops by themselves."""


@functools.cache
def why(op: str) -> Why | None:
    """Why a raw op without a rule is refused; None for one that only lacks a rule."""
    if op in OPS:
        return OPS[op]
    return next((reason for pattern, reason in KINDS if re.fullmatch(pattern, op)), None)
