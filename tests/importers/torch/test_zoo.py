"""Every zoo model, small: imported from its specs, evaluated at three sizes, parameters kept."""

from __future__ import annotations

import numpy as np
import pytest

from fixtures.zoo.base import outputs_by_name
from fixtures.zoo.registry import NAMES
from ir.eval import Evaluator
from ir.verify import check
from tests.importers.torch.support import close
from tests.models.zoo import imported
from tests.models.zoo import zoo as built


@pytest.mark.parametrize("name", NAMES)
def test_model(name: str) -> None:
    zoo, (_, model) = built(name), imported(name)
    check(model)
    assert all(n.startswith("only for sizes where length ") for n in model.notes), model.notes  # Python decisions
    for batch, length in ((3, 7), (2, 5), (1, 4)):
        inputs = zoo.make_inputs(batch, length, 1)
        named = inputs if isinstance(inputs, dict) else dict(zip(model.signature.input_names, inputs, strict=True))
        got = Evaluator().run(model, {k: v.numpy() for k, v in named.items()})
        want = outputs_by_name(zoo(inputs))
        assert list(got) == list(want)
        for key, array in want.items():
            close(got[key], array.numpy(), 2e-5, key)
    learned = list(model.parameters())
    assert sum(int(np.prod(w.type.shape)) for w in learned) == zoo.parameter_count
    assert {n for w in model.weights.values() if w.persistent for n in (w.name, *w.aliases)} >= set(
        zoo.module.state_dict()
    )
    assert all(w.trainable for w in learned)
