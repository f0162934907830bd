"""Special functions, parts of floats, other names and overloads of elementwise functions; see cases.py."""

from __future__ import annotations

import torch

from tests.importers.torch.cases import Fn

aten = torch.ops.aten
sp = torch.special

_POLYNOMIALS = (
    "chebyshev_polynomial_t",
    "chebyshev_polynomial_u",
    "chebyshev_polynomial_v",
    "chebyshev_polynomial_w",
    "hermite_polynomial_h",
    "hermite_polynomial_he",
    "laguerre_polynomial_l",
    "legendre_polynomial_p",
    "shifted_chebyshev_polynomial_t",
    "shifted_chebyshev_polynomial_u",
    "shifted_chebyshev_polynomial_v",
    "shifted_chebyshev_polynomial_w",
)

LIMITS = {torch.float32: (129.0, 130.0), torch.float64: (512.0, 513.0)}

SPECIAL: dict[str, Fn] = {
    **{
        n: (lambda t, n=n: getattr(sp, n)(t.x))
        for n in (
            "i0",
            "i0e",
            "i1",
            "i1e",
            "bessel_j0",
            "bessel_j1",
            "modified_bessel_i0",
            "modified_bessel_i1",
            "erfcx",
            "exp2",
            "sinc",
            "spherical_bessel_j0",
        )
    },
    **{
        n: (lambda t, n=n: getattr(sp, n)(t.pos))
        for n in (
            "bessel_y0",
            "bessel_y1",
            "modified_bessel_k0",
            "modified_bessel_k1",
            "scaled_modified_bessel_k0",
            "scaled_modified_bessel_k1",
        )
    },
    **{
        f"{n}_int": (lambda t, n=n: getattr(sp, n)(t.j))
        for n in ("i0", "i1e", "bessel_j0", "erfcx", "exp2", "sinc", "spherical_bessel_j0")
    },
    "spherical_bessel_j0_spec": lambda t: sp.spherical_bessel_j0(torch.cat([t.spec, t.spec * 0.3])),
    "spherical_bessel_j0_near": lambda t: sp.spherical_bessel_j0(t.unit * 0.5),
    "ndtri": lambda t: sp.ndtri(t.pos / 4),
    "exp2": lambda t: torch.exp2(t.x),
    "exp2_int": lambda t: torch.exp2(t.i),
    **{n: (lambda t, n=n: getattr(sp, n)(t.unit, t.deg)) for n in _POLYNOMIALS},
    **{f"{n}_x": (lambda t, n=n: getattr(sp, n)(0.4, t.deg)) for n in _POLYNOMIALS},
    **{f"{n}_n": (lambda t, n=n: getattr(sp, n)(t.x, 3)) for n in _POLYNOMIALS},
    **{
        f"{n}_int": (lambda t, n=n: getattr(sp, n)(t.i, t.deg))
        for n in ("hermite_polynomial_h", "shifted_chebyshev_polynomial_v")
    },
    "hermite_limit": lambda t: [sp.hermite_polynomial_he(t.unit, d).isnan() for d in LIMITS[t.unit.dtype]],
    "zeta": lambda t: sp.zeta(t.pos + 1.5, t.pos[:1]),
    "zeta_other": lambda t: sp.zeta(t.pos + 1.5, 2.5),
    "zeta_self": lambda t: sp.zeta(2.5, t.pos),
    "zeta_int": lambda t: sp.zeta(t.j + 1, t.j),
    "igamma": lambda t: torch.igamma(t.pos, t.pos.flip(-1)),
    "gammainc": lambda t: sp.gammainc(t.pos.flip(-1), t.pos),
    "igammac": lambda t: torch.igammac(t.pos, t.pos.flip(-1)),
    "gammaincc": lambda t: sp.gammaincc(t.pos.flip(-1), t.pos),
    "polygamma": lambda t: [torch.polygamma(n, t.pos) for n in (0, 1, 2, 3)],
    "polygamma_int": lambda t: torch.polygamma(1, t.j),
    **{f"special_{n}": (lambda t, n=n: getattr(sp, n)(t.x)) for n in ("erf", "erfc", "expm1")},
    "special_erfinv": lambda t: sp.erfinv(t.unit),
    **{f"special_{n}": (lambda t, n=n: getattr(sp, n)(t.pos)) for n in ("log1p", "gammaln", "digamma", "psi")},
    "special_erf_int": lambda t: sp.erf(t.i),
    "special_softmax": lambda t: sp.softmax(t.x, 1),
    "special_softmax_dtype": lambda t: sp.softmax(t.i, -1, dtype=torch.float64),
    "special_log_softmax": lambda t: sp.log_softmax(t.x, -2),
    "special_log_softmax_dtype": lambda t: sp.log_softmax(t.i, 2, dtype=torch.float32),
}

FLOATS: dict[str, Fn] = {
    "signbit": lambda t: torch.signbit(t.spec),
    "signbit_int": lambda t: torch.signbit(t.i),
    "signbit_bool": lambda t: torch.signbit(t.b),
    "copysign": lambda t: torch.copysign(t.x, t.pos - 1),
    "copysign_zero": lambda t: torch.copysign(t.c, -t.c * 0),
    "copysign_scalar": lambda t: [torch.copysign(t.x, v) for v in (-0.0, 2.0, -3)],
    "copysign_int": lambda t: torch.copysign(t.i, t.i.flip(1)),
    "copysign_bool": lambda t: torch.copysign(t.x, t.b),
    "nextafter": lambda t: torch.nextafter(t.x, t.pos) - t.x,
    "frexp": lambda t: list(torch.frexp(t.x)),
}

ALIASES: dict[str, Fn] = {
    "fix": lambda t: torch.fix(t.x),
    "fix_int": lambda t: torch.fix(t.i),
    "negative": lambda t: torch.negative(t.i),
    "absolute": lambda t: torch.absolute(t.x),
    "sgn": lambda t: torch.sgn(t.x),
    "sign_bool": lambda t: torch.sign(t.b),
    "round_decimals": lambda t: [torch.round(t.x * 1000, decimals=d) for d in (2, 1, 0, -2)],
    "positive": lambda t: aten.positive.default(t.x) + 1,
    "frac_int_like": lambda t: torch.frac(t.i.to(t.x)),
    "add_scalar": lambda t: [aten.add.Scalar(t.x, 2, 1.5), aten.add.Scalar(t.i, 2)],
    "add_bool_alpha": lambda t: torch.add(t.b, t.b2, alpha=True),
    "add_half_scalar": lambda t: [t.half + 0.1, t.half + 0.5, t.half + 3],
    "sub_scalar": lambda t: [aten.sub.Scalar(t.x, 2, 1.5), aten.sub.Scalar(t.i, 2)],
    "sub_half_scalar": lambda t: t.half - 0.1,
    "subtract": lambda t: torch.subtract(t.x, t.y, alpha=2),
    "rsub_tensor": lambda t: [torch.rsub(t.x, t.y), torch.rsub(t.x, t.y, alpha=0.5), torch.rsub(t.i, t.x)],
    "rsub_half": lambda t: torch.rsub(t.half, 0.1, alpha=2),
    "mul_scalar": lambda t: [aten.mul.Scalar(t.x, 1.5), aten.mul.Scalar(t.i, 1.5)],
    "multiply": lambda t: torch.multiply(t.i, t.x),
    "div_scalar": lambda t: [aten.div.Scalar(t.i, 2), aten.div.Scalar(t.half, 0.3)],
    "true_divide": lambda t: torch.true_divide(t.i, t.j),
    "divide": lambda t: torch.divide(t.x, t.pos),
    "div_scalar_mode": lambda t: [aten.div.Scalar_mode(t.x, 0.7, rounding_mode=m) for m in ("floor", "trunc", None)],
    "div_scalar_mode_int": lambda t: [aten.div.Scalar_mode(t.i, -3, rounding_mode=m) for m in ("floor", "trunc", None)],
    "divide_mode": lambda t: [torch.divide(t.i, t.j, rounding_mode=m) for m in ("floor", "trunc", None)],
    "floor_divide_scalar": lambda t: [aten.floor_divide.Scalar(t.x, 0.7), aten.floor_divide.Scalar(t.i, -3)],
    "remainder_tensor": lambda t: [torch.remainder(t.x, t.pos), torch.remainder(t.i, -t.j)],
    "min_other": lambda t: [torch.min(t.i, t.x), torch.min(t.b, t.b2)],
    "max_bool": lambda t: torch.max(t.b, t.b2),
    "arctan2": lambda t: torch.arctan2(t.i, t.x),
    "float_power_tensor": lambda t: torch.float_power(t.pos, t.i),
    "float_power_scalar": lambda t: [torch.float_power(2, t.i), torch.float_power(t.pos, 1.5)],
    "pow_u8": lambda t: t.u8**t.b,
    "pow_negative": lambda t: torch.tensor([1, -1, 2, -2, 3, -1]) ** torch.tensor([-3, -3, -1, -3, 2, -2]),
    "pow_negative_read": lambda t: ((t.i.abs() % 2) * 2 - 1) ** t.i,
    "pow_arange": lambda t: [2 ** torch.arange(4), 2 ** torch.arange(3, 0, -1), 2 ** torch.arange(1, 9, 2)],
    "pow_arange_down": lambda t: 2 ** torch.arange(1, -2, -1),
    "pow_arange_below": lambda t: 2 ** torch.arange(-2, 2),
    "pow_int_half": lambda t: [t.j**0.5, t.j**-0.5, t.j**-2.0],
    "pow_zero": lambda t: [t.i**0, t.x**0],
    "pow_constant": lambda t: [t.i ** torch.tensor([0, 1, 2, 3]), t.j ** torch.tensor([0, -1, 2, 3])],
    "clip_tensor": lambda t: [torch.clip(t.x, t.y, t.y + 1), torch.clip(t.i, max=t.j)],
    "clamp_max": lambda t: [torch.clamp_max(t.x, 0.5), torch.clamp_max(t.i, t.j), torch.clamp_max(t.i, 1.5)],
    "clamp_min": lambda t: [torch.clamp_min(t.x, 0.5), torch.clamp_min(t.i, t.j), torch.clamp_min(t.i, -1.5)],
    "addcmul_int": lambda t: [torch.addcmul(t.i, t.i, t.j, value=3), torch.addcmul(t.x, t.y, t.y)],
    "addcdiv_plain": lambda t: torch.addcdiv(t.x, t.y, t.pos),
    "where_number": lambda t: [torch.where(t.b, 2.5, 1), torch.where(t.u8 > 50, t.i, 2.5)],
    "relu6_int": lambda t: torch.nn.functional.relu6(t.i * 2),
    "atan2_scalar_like": lambda t: torch.atan2(t.s, t.x),
    "hypot_pair": lambda t: torch.hypot(t.x, t.pos[:1]),
    "isinf_int": lambda t: [torch.isinf(t.i), torch.isnan(t.b), torch.isfinite(t.b)],
    "compare_scalars": lambda t: [t.i == 2.0, t.i < 1.5, t.x >= t.i, t.b != 1],
    "softshrink": lambda t: [aten.softshrink.default(t.x), aten.softshrink.default(t.x, 0.2)],
    "hardshrink": lambda t: [aten.hardshrink.default(t.x), aten.hardshrink.default(t.x, 0.2)],
    "_softmax": lambda t: [aten._softmax.default(t.x, -2, False), aten._softmax.default(t.x, 2, False)],
    "_log_softmax": lambda t: [aten._log_softmax.default(t.x, -2, False), aten._log_softmax.default(t.x, 2, False)],
    "_prelu_kernel": lambda t: aten._prelu_kernel.default(t.x, t.y[:1]),
    "elu_scaled": lambda t: [aten.elu.default(t.x, 1.5, 1.2), aten.elu.default(t.x, 1.5)],
    "logit_int": lambda t: torch.logit(t.b.double() * 0.5 + 0.2, eps=0.3),
}

BITS: dict[str, Fn] = {
    **{
        f"bitwise_{n}": (
            lambda t, n=n: [
                getattr(torch, f"bitwise_{n}")(t.i, t.i32),
                getattr(torch, f"bitwise_{n}")(t.b, t.b2),
                getattr(torch, f"bitwise_{n}")(t.u8, t.i),
            ]
        )
        for n in ("and", "or", "xor")
    },
    **{
        f"bitwise_{n}_scalar": (
            lambda t, n=n: [
                getattr(aten, f"bitwise_{n}").Scalar(t.i, 6),
                getattr(aten, f"bitwise_{n}").Scalar(t.b, True),
                getattr(aten, f"__{n}__").Scalar(t.i32, 5),
                getattr(aten, f"__{n}__").Scalar(t.b, 6),
                getattr(aten, f"__{n}__").Tensor(t.i32, t.j),
            ]
        )
        for n in ("and", "or", "xor")
    },
    **{
        f"bitwise_{n}_shift": (
            lambda t, n=n, k=k: [
                getattr(torch, f"bitwise_{n}_shift")(t.i32, t.j),
                getattr(aten, f"bitwise_{n}_shift").Tensor_Scalar(t.i, 2),
                getattr(aten, f"__{k}shift__").Scalar(t.i, 3),
                getattr(aten, f"__{k}shift__").Tensor(t.j, t.at[:1]),
            ]
        )
        for n, k in (("left", "l"), ("right", "r"))
    },
}

BITS |= {
    "scalar_first": lambda t: (
        [fn(6, t.i) for fn in (torch.bitwise_and, torch.bitwise_or, torch.bitwise_xor)]
        + [
            torch.bitwise_left_shift(3, t.j),
            torch.bitwise_right_shift(-300, t.j),
            torch.remainder(7, t.j),
            torch.remainder(-2.5, t.pos),
        ]
    ),
}

COMPLEX: dict[str, Fn] = {
    "parts": lambda t: [torch.real(t.z), torch.imag(t.z), t.x.real],
    "parts_op": lambda t: [aten.real.default(t.z), aten.imag.default(t.z)],
    "complex": lambda t: torch.view_as_real(torch.complex(t.x, t.pos)),
    "conj": lambda t: torch.view_as_real(torch.conj(t.z).resolve_conj() * t.z),
    "conj_op": lambda t: [torch.view_as_real(aten.conj.default(t.z) * 2), aten.conj.default(t.x) + 1],
    "_conj": lambda t: torch.view_as_real(aten._conj.default(t.z) * 2),
    "conj_physical": lambda t: [torch.view_as_real(torch.conj_physical(t.z)), torch.conj_physical(t.x) + 1],
    "_conj_physical": lambda t: torch.view_as_real(aten._conj_physical.default(t.z)),
    "view_as_complex": lambda t: torch.view_as_real(torch.view_as_complex(torch.stack([t.x, t.pos], -1)) * t.z),
    "polar": lambda t: torch.view_as_real(torch.polar(t.pos, t.x)),
    "angle": lambda t: [torch.angle(t.z), torch.angle(t.spec), torch.angle(t.i)],
    "vdot": lambda t: torch.vdot(t.c, t.k[1]),
    "vdot_complex": lambda t: torch.view_as_real(torch.vdot(t.z[0, 0], t.z[0, 1])),
    "norm_complex": lambda t: [
        *(torch.linalg.vector_norm(t.z, order, dim=1) for order in (2, 1, 0, float("inf"), 3)),
        torch.norm(t.z, dim=(0, 2), keepdim=True),
        torch.norm(t.z, 1),
    ],
    "truth_of_complex": lambda t: [
        torch.count_nonzero(torch.where(t.b, t.z, 0), dim=1),
        torch.logical_and(torch.where(t.b, t.z, 0), t.b2),
        torch.logical_not(torch.where(t.b, t.z, 0)),
    ],
    "signed_infinity_of_whole": lambda t: [torch.isposinf(t.i), torch.isneginf(t.b)],
    "checks_complex": lambda t: [
        f(torch.complex(t.spec[:, None], t.spec[None])) for f in (torch.isinf, torch.isnan, torch.isfinite)
    ],
    "sgn_complex": lambda t: torch.view_as_real(torch.sgn(torch.where(t.b, t.z, t.z * 0))),
    "to_real": lambda t: t.z.to(t.x.dtype),
    "to_bool": lambda t: t.z.to(torch.bool),
    "to_complex": lambda t: torch.view_as_real(t.i.to(t.z.dtype)),
    "zeros": lambda t: torch.view_as_real(torch.zeros(2, 2, dtype=t.z.dtype) + t.z[:1, :2, :2]),
    "full": lambda t: torch.view_as_real(torch.full((2, 2), 1.5 - 2j, dtype=t.z.dtype)),
    "fft": lambda t: torch.view_as_real(torch.fft.fft(t.z)),
    "fft_norms": lambda t: [torch.view_as_real(torch.fft.fft(t.z, norm=n)) for n in ("forward", "ortho")],
    "ifft_norms": lambda t: [
        torch.view_as_real(torch.fft.ifft(t.z, dim=1, norm=n)) for n in ("forward", "backward", "ortho")
    ],
    "fftn": lambda t: [torch.view_as_real(torch.fft.fftn(t.z, dim=d)) for d in ((1, 2), (-1, -2))],
    "rfft": lambda t: [torch.view_as_real(torch.fft.rfft(t.x, dim=d)) for d in (1, -1)],
    "fft_real": lambda t: torch.view_as_real(torch.fft.fft(t.x, norm="ortho")),
    "r2c": lambda t: [
        torch.view_as_real(aten._fft_r2c.default(t.x, d, 0, one)) for d, one in (([1, 2], True), ([2, 1], False))
    ],
    "irfft": lambda t: [torch.fft.irfft(torch.fft.rfft(t.x, dim=d), n=n, dim=d) for d, n in ((2, 4), (1, 3), (2, 5))],
    "irfft_short": lambda t: [torch.fft.irfft(t.z[..., : n // 2 + 1], n=n) for n in (1, 2, 3, 4)],
    "irfftn": lambda t: [torch.fft.irfftn(t.z, s=(3, 6), dim=(1, 2), norm=n) for n in ("backward", "ortho", "forward")],
    "irfftn_all": lambda t: torch.fft.irfftn(t.z, s=(2, 3, 6), dim=(0, 1, 2)),
    "hfft": lambda t: [torch.fft.hfft(t.z, n=6), torch.view_as_real(torch.fft.ihfft(t.x).resolve_conj())],
    "det": lambda t: torch.view_as_real(torch.linalg.det(t.zsq)),
    "cholesky": lambda t: [
        torch.view_as_real(f) for u in (False, True) for f in [torch.linalg.cholesky(t.zsq @ t.zsq.mH, upper=u)]
    ],
    "cholesky_ex": lambda t: [p.abs() for p in torch.linalg.cholesky_ex(t.zsq @ t.zsq.mH)],
    "cholesky_solve": lambda t: torch.view_as_real(
        torch.cholesky_solve(t.zsq, torch.linalg.cholesky(t.zsq @ t.zsq.mH))
    ),
    "lu_solve": lambda t: [
        torch.view_as_real(
            torch.linalg.lu_solve(*torch.linalg.lu_factor(t.zsq), t.zsq.mT, left=left, adjoint=adjoint).resolve_conj()
        )
        for left in (True, False)
        for adjoint in (True, False)
    ],
}
