"""Reading attribute values, sizes and types: the token stream and the expression half of the parser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from ir.text.lexer import TextError, Token, tokenize
from ir.text.literals import tensor_of_bytes, tensor_of_numbers
from ir.types import Dim, DimExpr, TensorType, dim_max, dim_min, dtypes, floordiv, mod, symbol
from ir.types.attrs import ArrayAttr

_WORDS: dict[str, Any] = {"True": True, "False": False, "None": None, "nan": float("nan"), "inf": float("inf")}
_DTYPES = {d.name: d for d in dtypes.ALL}
_OPERATORS: dict[str, Callable[[Dim, Dim], Dim]] = {"*": lambda a, b: a * b, "//": floordiv, "%": mod}


class Expressions:
    """Recursive descent over the tokens of a text; every complaint is a TextError at the token at fault."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._stream = tokenize(text)  # read as we go: a long text has many tokens
        self.token = next(self._stream)
        self._ahead: Token | None = None

    # -- tokens -----------------------------------------------------------------------------------------------
    def peek(self) -> Token:
        """The token after the current one (the last one stays the last)."""
        if self._ahead is None:
            self._ahead = next(self._stream, self.token)
        return self._ahead

    def fail(self, message: str, token: Token | None = None) -> NoReturn:
        """Raise a TextError at a token (the current one)."""
        at = token or self.token
        raise TextError(message, at.line, at.column)

    def advance(self) -> Token:
        """Step over the current token and return it."""
        token = self.token
        self.token, self._ahead = self.peek(), None
        return token

    def at(self, text: str) -> bool:
        """Whether the current token is this punctuation or unquoted word."""
        return self.token.text == text and self.token.kind in ("punct", "name") and not self.token.quoted

    def take(self, text: str) -> bool:
        """Step over this punctuation or word if it is next."""
        if self.at(text):
            self.advance()
            return True
        return False

    def expect(self, text: str) -> Token:
        if not self.at(text):
            self.fail(f"expected {text!r}, found {self.token}")
        return self.advance()

    def kind(self, kind: str, what: str) -> Token:
        """Step over a token of this kind."""
        if self.token.kind != kind:
            self.fail(f"expected {what}, found {self.token}")
        return self.advance()

    def name(self, what: str = "a name") -> str:
        return self.kind("name", what).text

    def string(self, what: str = "a string") -> str:
        return self.kind("string", what).text

    def items(self, close: str, item: Callable[[], Any]) -> list[Any]:
        """Comma-separated items up to `close`, which is stepped over; a trailing comma is allowed."""
        found = []
        while not self.at(close):
            found.append(item())
            if not self.take(","):
                break
        self.expect(close)
        return found

    # -- types ------------------------------------------------------------------------------------------------
    def type(self) -> TensorType:
        """`float32[batch, 3]`."""
        token = self.kind("name", "a dtype")
        if token.text not in _DTYPES:
            self.fail(f"unknown dtype {token.text!r}", token)
        self.expect("[")
        return TensorType(_DTYPES[token.text], tuple(self.items("]", self.dim)))

    def dim(self) -> Dim:
        token = self.token
        return self._as_dim(self.sum(), token)

    def _as_dim(self, value: Any, token: Token) -> Dim:
        if isinstance(value, bool) or not isinstance(value, (int, DimExpr)):
            self.fail(f"expected a size, found {value!r}", token)
        return value

    # -- expressions ------------------------------------------------------------------------------------------
    def sum(self) -> Any:
        token = self.token
        value = self.product()
        while self.at("+") or self.at("-"):
            minus = self.advance().text == "-"
            other = self._as_dim(self.product(), token)
            value = self._as_dim(value, token) + (-other if minus else other)
        return value

    def product(self) -> Any:
        token = self.token
        value = self.unary()
        while self.at("*") or self.at("//") or self.at("%"):
            operator = self.advance()
            left, right = self._as_dim(value, token), self._as_dim(self.unary(), token)
            if operator.text != "*" and right == 0:
                self.fail("a size divided by zero", operator)
            value = _OPERATORS[operator.text](left, right)
        return value

    def unary(self) -> Any:
        token = self.token
        if not self.take("-"):
            return self.primary()
        value = self.unary()
        if isinstance(value, bool) or not isinstance(value, (int, float, DimExpr)):
            self.fail(f"cannot negate {value!r}", token)
        return -value

    def primary(self) -> Any:
        token = self.token
        if token.kind == "string":
            return self.advance().text
        if token.kind == "number":
            text = self.advance().text
            return int(text) if text.isdigit() else float(text)
        if self.take("?"):
            return symbol(self.name("the name of an opaque size"), opaque=True)
        if self.take("("):
            return self._parenthesised()
        if token.kind == "name":
            return self._word(self.advance())
        return self.fail(f"expected a value, found {token}")

    def _parenthesised(self) -> Any:
        if self.take(")"):
            return ()
        first = self.sum()
        if self.take(")"):
            return first
        self.expect(",")
        return (first, *self.items(")", self.sum))

    def _word(self, token: Token) -> Any:
        if token.quoted:
            return symbol(token.text)
        if token.text in _WORDS:
            return _WORDS[token.text]
        if token.text in _DTYPES:
            return _DTYPES[token.text]
        if token.text in ("min", "max"):
            self.expect("(")
            a = self.dim()
            self.expect(",")
            b = self.dim()
            self.expect(")")
            return dim_min(a, b) if token.text == "min" else dim_max(a, b)
        return self._tensor(token) if token.text == "tensor" else symbol(token.text)

    def _tensor(self, token: Token) -> ArrayAttr:
        self.expect("(")
        t = self.type()
        self.expect(",")
        shape = tuple(d for d in t.shape if isinstance(d, int))
        if len(shape) != t.rank:
            self.fail("the sizes of a constant are integers", token)
        try:
            if self.token.kind == "string":
                array = tensor_of_bytes(self.advance().text, t.dtype, shape)
            else:
                array = tensor_of_numbers(self._numbers(), t.dtype, shape)
        except ValueError as error:
            self.fail(f"bad constant of type {t}: {error}", token)
        self.expect(")")
        return ArrayAttr(array)

    def _numbers(self) -> list[Any]:
        if self.take("["):
            return [x for part in self.items("]", self._numbers) for x in part]
        token = self.token
        value = self.unary()
        if not isinstance(value, (bool, int, float)):
            self.fail(f"expected a number, found {token}", token)
        return [value]
