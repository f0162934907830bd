"""More of `helper_source.py`: recurrent layers whose two products have a bias each."""

# Names of keras and layers come from the head of the emitted file.
# ruff: noqa: ANN001, ANN003, ANN201, ANN202, ANN204, F821
# mypy: ignore-errors


class TwoBiases:
    """Of a cell: a bias for either product. They are added, and trained both."""

    def build(self, input_shape):
        super().build(input_shape)
        self.recurrent_bias = self.add_weight(self.input_bias.shape, "zeros", name="recurrent_bias")

    @property
    def bias(self):
        return self.input_bias + self.recurrent_bias

    @bias.setter
    def bias(self, value):
        self.input_bias = value


def with_cell(layer, cell):
    """Give a layer another cell of the same settings."""
    layer._layers.remove(layer.cell)
    layer.cell = cell.from_config(layer.cell.get_config())


@keras.saving.register_keras_serializable("two_biases")
class TwoBiasLSTMCell(TwoBiases, layers.LSTMCell):
    """An LSTM's cell with a bias for either product."""


@keras.saving.register_keras_serializable("two_biases")
class TwoBiasLSTM(layers.LSTM):
    """An LSTM with a bias for either product, as PyTorch and ONNX have it."""

    def __init__(self, units, **settings):
        super().__init__(units, **settings)
        with_cell(self, TwoBiasLSTMCell)


@keras.saving.register_keras_serializable("two_biases")
class TwoBiasGRUCell(TwoBiases, layers.GRUCell):
    """A GRU's cell with a bias for either product."""


@keras.saving.register_keras_serializable("two_biases")
class TwoBiasGRU(layers.GRU):
    """A GRU that resets its state before the product, with a bias for either product, as ONNX has it."""

    def __init__(self, units, **settings):
        super().__init__(units, **settings)
        with_cell(self, TwoBiasGRUCell)


@keras.saving.register_keras_serializable("two_biases")
class TwoBiasSimpleRNNCell(TwoBiases, layers.SimpleRNNCell):
    """A simple recurrent cell with a bias for either product."""


@keras.saving.register_keras_serializable("two_biases")
class TwoBiasSimpleRNN(layers.SimpleRNN):
    """A simple recurrent layer with a bias for either product, as PyTorch and ONNX have it."""

    def __init__(self, units, **settings):
        super().__init__(units, **settings)
        with_cell(self, TwoBiasSimpleRNNCell)
