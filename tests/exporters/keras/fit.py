"""Trains an emitted package for an epoch on the backend of the environment. Started by path, isolated, never imported.

`fit.py FOLDER DATA`: the arrays `x` and `y` of an npz file. Prints JSON: the losses of two epochs, how many trainable
variables there are and how many of them have changed, how many others one call of training and `fit` move, the
predictions' shape, and whether a saved file of weights restores the model.
"""

import importlib.util
import json
import sys
import tempfile
from pathlib import Path
from typing import Any


def main(folder: Path, data: Path) -> None:
    """Load, compile, fit, predict, save."""
    for name in ("ir", "converter", "isomorph"):
        sys.modules[name] = None  # type: ignore[assignment]
    import keras
    import numpy as np

    spec = importlib.util.spec_from_file_location("model", folder / "model.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    keras.utils.set_random_seed(1)
    model = module.load_model()
    with np.load(data) as archive:
        x, y = archive["x"], archive["y"]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.SGD(0.05), loss=loss)
    weights = model.trainable_variables
    before = [np.array(keras.ops.convert_to_numpy(v)) for v in weights]
    moved = moves(keras, model, x)
    held = [np.array(keras.ops.convert_to_numpy(v)) for v in model.non_trainable_variables]
    losses = model.fit(x, y, batch_size=4, epochs=2, verbose=0, shuffle=False).history["loss"]
    fitted = sum(
        not np.array_equal(a, keras.ops.convert_to_numpy(v)) for a, v in zip(held, model.non_trainable_variables)
    )
    changed = sum(not np.array_equal(a, keras.ops.convert_to_numpy(v)) for a, v in zip(before, weights))
    predicted = model.predict(x, verbose=0)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "m.weights.h5"
        model.save_weights(path)
        twin = module.load_model()
        twin(x[:4])
        twin.load_weights(path)
        same = bool(np.allclose(twin.predict(x, verbose=0), predicted, atol=1e-5))
    found = {
        "losses": losses, "trainable": len(weights), "changed": changed, "moved": moved, "fitted": fitted,
        "shape": list(predicted.shape), "restored": same,
    }  # fmt: skip
    print(json.dumps(found))


def moves(keras: Any, model: Any, x: Any) -> int:
    """How many variables that are not trained a call of training changes."""
    import numpy as np

    model(x)  # a model is built by its first call
    held = model.non_trainable_variables
    before = [np.array(keras.ops.convert_to_numpy(v)) for v in held]
    if keras.backend.backend() == "jax":
        trained = [v.value for v in model.trainable_variables]
        _, after = model.stateless_call(trained, [v.value for v in held], x, training=True)
    else:
        model(x, training=True)
        after = [keras.ops.convert_to_numpy(v) for v in held]
    return sum(not np.array_equal(a, b) for a, b in zip(before, after))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
