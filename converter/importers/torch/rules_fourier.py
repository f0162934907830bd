"""ATen Fourier transforms: real ones are made of the complex one."""

from __future__ import annotations

from converter.importers.torch.context import Call, TorchContext, rule
from ir.core import Value
from ir.types import same

_NORM = ("none", "ortho", "count")


def _norm(a: Call) -> str:
    return _NORM[a.lit("normalization")]


@rule("aten._fft_c2c.default")
def complex_to_complex(c: TorchContext, a: Call) -> Value:
    return c.b.fft(a.value("self"), axes=a.ints("dim"), inverse=not a.lit("forward"), norm=_norm(a))


@rule("aten._fft_r2c.default")
def real_to_complex(c: TorchContext, a: Call) -> Value:
    """One-sided results keep the first half of the last of the axes."""
    return c.b.fft(a.value("self"), axes=a.ints("dim"), norm=_norm(a), onesided=a.lit("onesided"))


@rule("aten._fft_c2r.default")
def complex_to_real(c: TorchContext, a: Call) -> Value:
    """The inverse transform of a spectrum whose second half mirrors the first, over the last of the axes.

    The other axes are transformed first; the parts that would be imaginary are dropped, as torch does.
    """
    x, axes, size = a.value("self"), a.ints("dim"), a.dim("last_dim_size")
    norm, last = _norm(a), axes[-1]
    if len(axes) > 1:
        x = c.b.fft(x, axes=axes[:-1], inverse=True, norm=norm)
    half = size // 2 + 1
    have = x.type.shape[last]
    if same(have, half) is not True:
        c.refuse(f"a spectrum of {have} points for {size}")
    mirrored = (size - 1) // 2
    if mirrored != 0:
        tail = c.b.slice(x, axes=(last,), starts=(1,), stops=(1 + mirrored,), steps=(1,))
        x = c.b.concat([x, c.b.conj(c.b.flip(tail, axes=(last,)))], axis=last)
    if x.type.shape[last] != size:  # the same number, which the halves of an unknown size do not show
        x = c.b.reshape(x, shape=tuple(size if i == last else d for i, d in enumerate(x.type.shape)))
    return c.b.real(c.b.fft(x, axes=(last,), inverse=True, norm=norm))


@rule("aten.view_as_complex.default")
def view_as_complex(c: TorchContext, a: Call) -> Value:
    x = a.value("self")
    last = x.type.rank - 1
    return c.b.complex(c.b.select(x, axis=last, index=0), c.b.select(x, axis=last, index=1))


@rule("aten.polar.default")
def polar(c: TorchContext, a: Call) -> Value:
    """A complex number of a size at an angle."""
    size, turn = a.value("abs"), a.value("angle")
    return c.b.complex(c.b.mul(size, c.b.cos(turn)), c.b.mul(size, c.b.sin(turn)))


@rule("aten.view_as_real.default")
def view_as_real(c: TorchContext, a: Call) -> Value:
    x = a.value("self")
    return c.b.stack([c.b.real(x), c.b.imag(x)], axis=x.type.rank)


@rule("aten.angle.default")
def angle(c: TorchContext, a: Call) -> Value:
    """Of real numbers: 0 or pi, NaN for NaN."""
    x = a.value("self")
    if x.type.dtype.is_complex:
        return c.b.angle(x)
    x = c.cast(x, a.dtype)
    import math

    flat = c.b.where(c.b.less(x, c.constant(0, a.dtype)), c.constant(math.pi, a.dtype), c.constant(0, a.dtype))
    return c.b.where(c.b.isnan(x), x, flat)
