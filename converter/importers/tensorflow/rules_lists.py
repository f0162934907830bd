"""Lists of tensors: what is written into them and read, as arrays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from converter.importers.partial.values import Ref, known
from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.lists import (
    TensorList,
    all_places,
    array_of,
    element_shape,
    filled,
    known_places,
    list_of,
    open_list,
)
from converter.importers.tensorflow.table import rule
from ir.core import Value
from ir.types import Dim, dim_max, dtypes, same


def _scalar(c: TensorflowContext, index: int, what: str) -> Dim:
    return c.dim(c.elements(c.ref(index), what).reshape(-1)[0])


# -- made ---------------------------------------------------------------------------------------------------------------
@rule("TensorListReserve")
def reserve(c: TensorflowContext) -> TensorList:
    c.ignore("shape_type")
    return open_list(c, c.attr("element_dtype"), element_shape(c, 0), _scalar(c, 1, "the number of elements"))


@rule("EmptyTensorList")
def empty(c: TensorflowContext) -> TensorList:
    """A list that grows."""
    c.ignore("shape_type")
    return open_list(c, c.attr("element_dtype"), element_shape(c, 0), 0)


@rule("TensorListFromTensor")
def from_tensor(c: TensorflowContext) -> TensorList:
    c.ignore("shape_type", "element_dtype")
    return _whole(c, 0)


def _whole(c: TensorflowContext, index: int) -> TensorList:
    """The list of a tensor's slices."""
    if not c.rank(index):
        c.refuse("a list of the slices of a 0-d tensor")
    x = c.x(index)
    return TensorList(x.type.dtype, x.type.shape[0], None, Ref(x.type, x))


@rule("TensorListScatterV2", "TensorListScatter")
def scatter(c: TensorflowContext) -> TensorList:
    """Slices of a tensor at places, zeros elsewhere; by `num_elements` -1 as long as the last place says."""
    c.ignore("shape_type", "element_dtype")
    count = None
    if c.op == "TensorListScatterV2":
        element = c.elements(c.ref(3), "the number of elements").reshape(-1)[0]
        count = None if isinstance(element, int) and element < 0 else c.dim(element)
    places = known_places(c, 1)
    if count is None:
        if places is None:
            c.refuse("a list as long as places say that only the run knows")
        count = int(places.max(initial=-1)) + 1
    return _written(c, TensorList(c.type(0).dtype, count, None), 0, 1)


@rule("TensorListScatterIntoExistingList")
def scatter_into(c: TensorflowContext) -> TensorList:
    c.ignore("element_dtype")
    return _written(c, list_of(c, 0), 1, 2)


def _written(c: TensorflowContext, item: TensorList, tensor: int, index: int) -> TensorList:
    """A list with the slices of a tensor at places; all of them in order are the tensor itself."""
    x = c.x(tensor)
    if all_places(c, index, item.size):
        filled(c, item, x.type.shape[1:])
        return item.of(Ref(x.type, x))
    array = array_of(c, filled(c, item, x.type.shape[1:]))
    at = c.b.unsqueeze(c.cast(c.x(index), dtypes.int64), axes=(1,))
    return _of(item, c.b.scatter_nd(array, at, x, bounds="error", neg="invalid"))


def _of(item: TensorList, array: Value) -> TensorList:
    return item.of(Ref(array.type, array))


@rule("TensorListSplit")
def split(c: TensorflowContext) -> TensorList:
    """Pieces of a tensor, of one length."""
    c.ignore("shape_type", "element_dtype")
    lengths, x = c.ints(2, "the lengths of pieces"), c.x(0)
    if len(set(lengths)) != 1:
        c.refuse(f"a list of pieces of lengths {lengths}, which are no array")
    array = c.b.reshape(x, shape=(len(lengths), lengths[0], *x.type.shape[1:]))
    return TensorList(x.type.dtype, len(lengths), None, Ref(array.type, array))


# -- written ------------------------------------------------------------------------------------------------------------
@rule("TensorListSetItem")
def set_item(c: TensorflowContext) -> TensorList:
    """A place that the list does not have is an error, or the list grows to it."""
    c.ignore("element_dtype")
    item = replace(list_of(c, 0), grows=bool(c.attr("resize_if_index_out_of_bounds")))
    return replace(put(c, item, 1, 2), grows=False)


def put(c: TensorflowContext, item: TensorList, index: int, element: int) -> TensorList:
    """A list with one element replaced; a list that grows has zeros in between."""
    value = c.x(element)
    if item.grows and item.written == "end":
        return _pushed(c, item, value)
    if item.grows and item.written == "anywhere":
        place = _scalar(c, index, "the place that is written")
        if same(place, item.size):
            return _pushed(c, item, value)
        item = _reaching(c, filled(c, item, value.type.shape), place)
    array = array_of(c, filled(c, item, value.type.shape))
    at = c.b.reshape(c.cast(c.x(index), dtypes.int64), shape=(1,))
    return _of(item, c.b.scatter_nd(array, at, value, bounds="error", neg="invalid"))


def _reaching(c: TensorflowContext, item: TensorList, place: Dim) -> TensorList:
    """The list, with zeros behind it so that it has this place."""
    more = dim_max(place + 1 - item.size, 0)
    if same(more, 0):
        return item
    array = array_of(c, item)
    zeros = c.b.full(shape=(more, *array.type.shape[1:]), value=False if item.dtype.is_bool else 0, dtype=item.dtype)
    return _of(item, c.b.concat([array, zeros], axis=0))


@rule("TensorListPushBack")
def push_back(c: TensorflowContext) -> TensorList:
    """One element more."""
    c.ignore("element_dtype")
    return _pushed(c, list_of(c, 0), c.x(1))


def _pushed(c: TensorflowContext, item: TensorList, element: Value) -> TensorList:
    value = c.b.unsqueeze(element, axes=(0,))
    array = filled(c, item, element.type.shape)
    return _of(item, value if same(item.size, 0) else c.b.concat([array_of(c, array), value], axis=0))


@rule("TensorListPopBack")
def pop_back(c: TensorflowContext) -> list[Any]:
    c.ignore("element_dtype")
    item = list_of(c, 0)
    array = array_of(c, item, element_shape(c, 1))
    rest = c.b.slice(array, axes=(0,), starts=(None,), stops=(-1,), steps=(1,))
    return [_of(item, rest), c.b.select(array, axis=0, index=-1)]


@rule("TensorListConcatLists")
def joined(c: TensorflowContext) -> TensorList:
    c.ignore("element_dtype")
    first, second = list_of(c, 0), list_of(c, 1)
    if same(first.size, 0) or same(second.size, 0):
        return second if same(first.size, 0) else first
    return _of(first, c.b.concat([array_of(c, first), array_of(c, second)], axis=0))


@rule("TensorListResize")
def resize(c: TensorflowContext) -> TensorList:
    """Cut, or with zeros behind."""
    item, size = list_of(c, 0), _scalar(c, 1, "the number of elements")
    if same(item.size, size):
        return item
    if not isinstance(item.size, int) or not isinstance(size, int):
        c.refuse("a list cut or filled to a size that only the run knows")
    if item.array is None:
        return TensorList(item.dtype, size, item.element)
    array = c.value(item.array)
    if size < item.size:
        return _of(item, c.b.slice(array, axes=(0,), starts=(None,), stops=(size,), steps=(1,)))
    pads = ((0, size - item.size), *((0, 0),) * (array.type.rank - 1))
    return _of(item, c.b.pad(array, pads=pads, value=0))


# -- read ---------------------------------------------------------------------------------------------------------------
@rule("TensorListGetItem")
def get_item(c: TensorflowContext) -> Value:
    """A place that the list does not have is an error."""
    c.ignore("element_dtype", "Tshape")
    return at(c, array_of(c, list_of(c, 0), element_shape(c, 2)), 1)


def at(c: TensorflowContext, array: Value, index: int) -> Value:
    """The elements of an array at places."""
    return c.b.gather(array, c.x(index), axis=0, bounds="error", neg="invalid")


@rule("TensorListGather")
def gather(c: TensorflowContext) -> Value:
    c.ignore("element_dtype")
    item = list_of(c, 0)
    return picked(c, item, array_of(c, item, element_shape(c, 2)), 1)


def picked(c: TensorflowContext, item: TensorList, array: Value, index: int) -> Value:
    """Elements at places; all of them in order are the array itself."""
    if all_places(c, index, item.size):
        return array
    return at(c, array, index)


@rule("TensorListStack")
def stack(c: TensorflowContext) -> Value:
    c.ignore("element_dtype")
    item, count = list_of(c, 0), int(c.attr("num_elements"))
    if count >= 0 and not same(item.size, count):
        c.refuse(f"{count} elements wanted of a list of {item.size}")
    return array_of(c, item, element_shape(c, 1))


@rule("TensorListConcat", "TensorListConcatV2")
def concat(c: TensorflowContext) -> list[Any]:
    """The elements one after another, and how long each is."""
    c.ignore("element_dtype", "shape_type", "element_shape")
    return run_together(c, list_of(c, 0), array_of(c, list_of(c, 0)))


def run_together(c: TensorflowContext, item: TensorList, array: Value) -> list[Any]:
    """The elements along their first axis, and that axis' size for each."""
    if array.type.rank < 2:
        c.refuse("0-d elements one after another")
    count, length, *rest = array.type.shape
    whole = c.b.reshape(array, shape=(count * length, *rest))
    lengths = c.b.expand(c.b.reshape(c.b.dim(size=length), shape=(1,)), shape=(count,))
    return [whole, lengths]


@rule("TensorListLength")
def length(c: TensorflowContext) -> Ref:
    return _number(list_of(c, 0).size)


def _number(size: Dim) -> Ref:
    content = np.empty((), object)
    content[()] = size
    return known(dtypes.int32, content)


@rule("TensorListElementShape")
def shape_of_elements(c: TensorflowContext) -> Ref:
    """-1 for open sizes."""
    kind = c.attr("shape_type")
    item = list_of(c, 0)
    shape: Any = item.array.type.shape[1:] if item.element is None and item.array is not None else item.element
    if shape is None:
        content = np.empty((), object)
        content[()] = -1
        return known(kind, content)
    content = np.empty((len(shape),), object)
    content[:] = [-1 if d is None else d for d in shape]
    return known(kind, content)


# -- TensorArray of TensorFlow 1 ----------------------------------------------------------------------------------------
@rule("TensorArrayV3")
def tensor_array(c: TensorflowContext) -> list[Any]:
    """The array, and the state of it that flows from write to read: both are the list as it was made."""
    c.ignore("clear_after_read", "tensor_array_name", "identical_element_shapes")
    shape = c.attr("element_shape")
    made = open_list(c, c.attr("dtype"), shape, _scalar(c, 0, "the number of elements"))
    made = replace(made, grows=bool(c.attr("dynamic_size")))
    return [made, made]


@rule("TensorArrayWriteV3")
def tensor_array_write(c: TensorflowContext) -> TensorList:
    return put(c, list_of(c, 3), 1, 2)


@rule("TensorArrayReadV3")
def tensor_array_read(c: TensorflowContext) -> Value:
    c.ignore("dtype")
    return at(c, array_of(c, list_of(c, 2)), 1)


@rule("TensorArrayScatterV3")
def tensor_array_scatter(c: TensorflowContext) -> TensorList:
    return _written(c, list_of(c, 3), 2, 1)


@rule("TensorArrayGatherV3")
def tensor_array_gather(c: TensorflowContext) -> Value:
    c.ignore("dtype")
    shape = c.attr("element_shape")
    item = list_of(c, 2)
    return picked(c, item, array_of(c, item, shape), 1)


@rule("TensorArrayConcatV3")
def tensor_array_concat(c: TensorflowContext) -> list[Any]:
    c.ignore("dtype", "element_shape_except0")
    return run_together(c, list_of(c, 1), array_of(c, list_of(c, 1)))


@rule("TensorArraySizeV3")
def tensor_array_size(c: TensorflowContext) -> Ref:
    return _number(list_of(c, 1).size)


@rule("TensorArrayCloseV3")
def tensor_array_close(c: TensorflowContext) -> list[Any]:
    return []
