"""ATen special functions."""

from __future__ import annotations

import math

from converter.importers.torch.context import Call, RuleFn, TorchContext, rule
from ir.core import Value


def _function(op: str) -> RuleFn:
    def convert(c: TorchContext, a: Call) -> Value:
        name = "x" if a.has("x") else "self"
        return getattr(c.b, op)(a.operand(name, a.dtype))

    return convert


for _aten, _op in {
    "i0": "bessel_i0", "special_i0e": "bessel_i0e", "special_i1": "bessel_i1", "special_i1e": "bessel_i1e",
    "special_bessel_j0": "bessel_j0", "special_bessel_j1": "bessel_j1", "special_bessel_y0": "bessel_y0",
    "special_bessel_y1": "bessel_y1", "special_modified_bessel_i0": "bessel_i0", "special_modified_bessel_i1": "bessel_i1",
    "special_modified_bessel_k0": "bessel_k0", "special_modified_bessel_k1": "bessel_k1",
    "special_scaled_modified_bessel_k0": "bessel_k0e", "special_scaled_modified_bessel_k1": "bessel_k1e",
    "special_erfcx": "erfcx", "special_ndtri": "ndtri",
}.items():  # fmt: skip
    rule.add(f"aten.{_aten}.default", _function(_op), _aten)


_POLYNOMIALS = {
    "chebyshev_polynomial_t": "chebyshev_t", "chebyshev_polynomial_u": "chebyshev_u", "chebyshev_polynomial_v": "chebyshev_v",
    "chebyshev_polynomial_w": "chebyshev_w", "hermite_polynomial_h": "hermite_h", "hermite_polynomial_he": "hermite_he",
    "laguerre_polynomial_l": "laguerre", "legendre_polynomial_p": "legendre",
}  # fmt: skip
_HIGHEST = {"float32": 128, "float64": 512}
"""The degree beyond which PyTorch's Hermite polynomials are NaN."""


def _polynomial(kind: str, shifted: bool) -> RuleFn:
    """Shifted polynomials are those of 2 x - 1."""

    def convert(c: TorchContext, a: Call) -> Value:
        x, n = a.operand("x", a.dtype), a.operand("n", a.dtype)
        if shifted:
            x = c.b.sub(c.b.add(x, x), c.constant(1, a.dtype))
        out = c.b.orthogonal_polynomial(x, n, kind=kind)
        if not kind.startswith("hermite"):
            return out
        limit = c.constant(_HIGHEST[a.dtype.name] + 1, a.dtype)
        return c.b.where(c.b.less(n, limit), out, c.constant(float("nan"), a.dtype))

    return convert


for _aten, _kind in _POLYNOMIALS.items():
    for _form in ("default", "x_scalar", "n_scalar"):
        rule.add(f"aten.special_{_aten}.{_form}", _polynomial(_kind, False), _aten)
        if _aten.startswith("chebyshev"):
            rule.add(f"aten.special_shifted_{_aten}.{_form}", _polynomial(_kind, True), f"shifted_{_aten}")


@rule("aten.special_zeta.default", "aten.special_zeta.other_scalar", "aten.special_zeta.self_scalar")
def zeta(c: TorchContext, a: Call) -> Value:
    return c.b.zeta(a.operand("self", a.dtype), a.operand("other", a.dtype))


@rule("aten.igamma.default", "aten.special_gammainc.default")
def gamma_inc(c: TorchContext, a: Call) -> Value:
    return c.b.gamma_inc(a.operand("self", a.dtype), a.operand("other", a.dtype))


@rule("aten.igammac.default", "aten.special_gammaincc.default")
def gamma_incc(c: TorchContext, a: Call) -> Value:
    return c.b.gamma_incc(a.operand("self", a.dtype), a.operand("other", a.dtype))


@rule("aten.polygamma.default")
def polygamma(c: TorchContext, a: Call) -> Value:
    """Derivatives of digamma: (-1)**(n + 1) n! zeta(n + 1, x) from the first on."""
    n, x = a.lit("n"), a.operand("self", a.dtype)
    if n == 0:
        return c.b.digamma(x)
    factor = float(math.factorial(n) if n % 2 else -math.factorial(n))
    return c.b.mul(c.constant(factor, a.dtype), c.b.zeta(c.constant(float(n + 1), a.dtype), x))


@rule("aten.exp2.default")
def exp2(c: TorchContext, a: Call) -> Value:
    return c.b.pow(c.constant(2, a.dtype), a.operand("self", a.dtype))


@rule("aten.sinc.default")
def sinc(c: TorchContext, a: Call) -> Value:
    """sin(pi x) / (pi x), and 1 at 0, where its gradient is 0: what is divided by is never 0."""
    x, zero, one = a.operand("self", a.dtype), c.constant(0, a.dtype), c.constant(1, a.dtype)
    middle = c.b.equal(x, zero)
    angle = c.b.mul(c.b.where(middle, one, x), c.constant(math.pi, a.dtype))
    return c.b.where(middle, one, c.b.div(c.b.sin(angle), angle))


@rule("aten.special_spherical_bessel_j0.default")
def spherical_bessel(c: TorchContext, a: Call) -> Value:
    """sin(x) / x: near 0 by its series, 0 at infinity."""
    x = a.operand("x", a.dtype)
    square = c.b.square(x)
    series = c.constant(0.0, a.dtype)
    for k in range(7, -1, -1):
        series = c.b.add(c.b.mul(series, square), c.constant((-1) ** k / math.factorial(2 * k + 1), a.dtype))
    plain = c.b.div(c.b.sin(x), x)
    out = c.b.where(c.b.less(c.b.abs(x), c.constant(0.5, a.dtype)), series, plain)
    return c.b.where(c.b.isinf(x), c.constant(0.0, a.dtype), out)
