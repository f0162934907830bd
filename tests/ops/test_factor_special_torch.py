"""Fourier transforms, special functions, parts of floats and matrix factorisations against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from ir.ops import get
from tests.ops.harness import cases_of, named

torch = pytest.importorskip("torch")
L, S = torch.linalg, torch.special
NORM = {"none": ("backward", "forward"), "ortho": ("ortho", "ortho"), "count": ("forward", "backward")}


def fft(x, axes, inverse, norm, onesided):
    if onesided:
        return (torch.fft.ihfftn if inverse else torch.fft.rfftn)(x, dim=axes, norm=NORM[norm][inverse]).resolve_conj()
    return (torch.fft.ifftn if inverse else torch.fft.fftn)(x, dim=axes, norm=NORM[norm][inverse])


ROWS = {
    "fft": fft, "inverse": L.inv, "determinant": L.det, "log_determinant": L.slogdet, "solve": None,
    "cholesky": lambda x, upper: L.cholesky(x, upper=upper), "qr": lambda x, mode: L.qr(x, mode=mode),
    "svd": lambda x, full: L.svd(x, full_matrices=full), "eigh": lambda x, upper: L.eigh(x, "U" if upper else "L"),
    "bessel_i0": S.i0, "bessel_i0e": S.i0e, "bessel_i1": S.i1, "bessel_i1e": S.i1e, "bessel_j0": S.bessel_j0,
    "bessel_j1": S.bessel_j1, "bessel_y0": S.bessel_y0, "bessel_y1": S.bessel_y1, "bessel_k0": S.modified_bessel_k0,
    "bessel_k1": S.modified_bessel_k1, "bessel_k0e": S.scaled_modified_bessel_k0,
    "bessel_k1e": S.scaled_modified_bessel_k1, "erfcx": S.erfcx, "ndtri": S.ndtri, "zeta": S.zeta,
    "gamma_inc": S.gammainc, "gamma_incc": S.gammaincc, "lu": lambda x: L.lu_factor_ex(x)[:2],
    "solve_triangular": lambda x, y, upper, unit: L.solve_triangular(x, y, upper=upper, unitriangular=unit),
    "householder": torch.geqrf, "householder_product": L.householder_product, "matrix_exp": L.matrix_exp,
    "orthogonal_polynomial": lambda x, n, kind: getattr(S, POLYNOMIALS[kind])(x, n), "signbit": torch.signbit,
    "frexp": torch.frexp, "nextafter": lambda x, y, of: torch.nextafter(x, y),
}  # fmt: skip
POLYNOMIALS = {
    **{f"chebyshev_{kind}": f"chebyshev_polynomial_{kind}" for kind in "tuvw"}, "hermite_h": "hermite_polynomial_h",
    "hermite_he": "hermite_polynomial_he", "laguerre": "laguerre_polynomial_l", "legendre": "legendre_polynomial_p",
}  # fmt: skip


def solve(x, y):
    lead = torch.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    return L.solve(x, y.expand(*lead, *y.shape[-2:]))


ROWS["solve"] = solve


@pytest.mark.parametrize("name", sorted(ROWS))
def test_evaluation_is_torch(name: str) -> None:
    record, compared = get(name), 0
    for case in cases_of(record):
        sample = case[2]
        given = named(record, sample)
        attrs = record.complete(sample.attrs)
        mine = record.evaluate(**given, **attrs)
        theirs = ROWS[name](*(torch.from_numpy(np.array(x)) for x in given.values()), **attrs)
        for a, b in zip(*(r if isinstance(r, tuple) else (r,) for r in (mine, theirs)), strict=True):
            want = b.numpy()
            if name in ("svd", "eigh"):  # the sign of each vector is free
                a, want = np.abs(a), np.abs(want)
            assert a.dtype == want.dtype
            if not np.issubdtype(want.dtype, np.inexact):
                np.testing.assert_array_equal(a, want)
                compared += 1
                continue
            wide = np.finfo(want.dtype).eps
            near = 3e-7 if name.startswith(("bessel_j", "bessel_y")) else 200 * wide  # PyTorch's doubles are no nearer
            np.testing.assert_allclose(a, want, rtol=1e4 * wide, atol=near)
            compared += 1
    assert compared
