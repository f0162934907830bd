"""A real model of Keras 2.0.5, the emotion classifier of the package `fer`: the file to PyTorch source, the same class on
every face."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch

import converter
from converter.importers.base import ImportOptions
from fixtures.zoo import fer
from tests.models.zoo import FOLDER

pytestmark = [pytest.mark.models, pytest.mark.skipif(fer.find() is None, reason=fer.MISSING)]
FACES = 64


@functools.cache
def source() -> Any:
    """The live model on today's Keras."""
    from converter.importers.keras.files import open_source

    path = fer.find()
    assert path is not None
    return open_source(path, ImportOptions())


@functools.cache
def converted() -> Any:
    """The conversion of the file itself."""
    return converter.convert(str(fer.find()), "torch", f"{FOLDER.name}/fer")


def test_faces_of_several_moods() -> None:
    classes = np.asarray(source()(fer.faces(FACES))).argmax(1)
    assert len(set(classes.tolist())) >= 3


def test_the_same_class_on_every_face() -> None:
    conversion = converted()
    assert conversion.report.verification.verdict == "equal", conversion.report.verification.summary()
    faces = fer.faces(FACES)
    wanted = np.asarray(source()(faces))
    with torch.no_grad():
        got = conversion.load()(torch.tensor(faces)).numpy()
    assert (got.argmax(1) == wanted.argmax(1)).all()
    assert np.abs(got - wanted).max() < 1e-5  # probabilities of float32, through 20 layers


def test_all_weights_arrive() -> None:
    module = converted().load()
    trained = sum(p.numel() for p in module.parameters() if p.requires_grad)
    assert trained == sum(int(np.prod(v.shape)) for v in source().trainable_weights)
