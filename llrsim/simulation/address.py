"""Compiled functions handed to kernels by address.

numba copies every function that a kernel calls into the kernel and optimises the copy, and takes each function that is
passed for a type of its own. A first-class function of a fixed signature is neither: the kernel is compiled once, and
without what it calls.
"""

from __future__ import annotations

from threading import Lock
from typing import Any

from numba import typeof, types
from numba.core.dispatcher import Dispatcher

_compiling = Lock()


class _Address:
    """A compiled function as kernels take it for a first-class one, by numba's wrapper address protocol.

    They would take the dispatcher itself too, but convert it anew in every call, for milliseconds.
    """

    def __init__(self, function: Dispatcher, kind: types.FunctionType) -> None:
        self._numba_type_ = kind
        self._address = types.CompileResultWAP(function.get_compile_result(kind.signature)).__wrapper_address__()

    def __wrapper_address__(self) -> int:
        return self._address


_addresses: dict[Dispatcher, _Address] = {}
"""Of the functions handed out so far, each of which has one kind. Not by kind too: numba's types take long to hash."""


def call_by_address(
    kernel: Any, kinds: tuple[types.FunctionType, ...], functions: tuple[Any, ...], *arguments: Any
) -> Any:
    """`kernel(*functions, *arguments)` with the functions, each of its kind, by their addresses."""
    if isinstance(kernel, Dispatcher):  # else numba is switched off
        with _compiling:
            for function, kind in zip(functions, kinds, strict=True):
                if function not in _addresses:
                    _addresses[function] = _Address(function, kind)
            functions = tuple(_addresses[function] for function in functions)
            if not kernel.overloads:
                kernel.compile(kinds + tuple(map(typeof, arguments)))
                kernel.disable_compile()
    return kernel(*functions, *arguments)
