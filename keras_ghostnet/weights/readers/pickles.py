"""A reader of pickles that cannot run code.

A pickle is a program; Python's own machine imports and calls whatever the program names. This
one takes the opcodes from `pickletools`, keeps names as inert `Symbol`s, and "calls" only what
the caller's table of builders holds. Every builder is a function of this package.
"""

import inspect
import pickletools
import struct

from keras_ghostnet.weights.readers.checkpoint import refusal, shown
from keras_ghostnet.weights.readers.symbols import Buildable, Symbol, checked_key

# A checkpoint with optimizer state needs about 100 operations per tensor, some 300,000 in all.
MAX_OPERATIONS = 2_000_000

_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
# fmt: off
_LITERALS = frozenset((
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING",
    "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8",
    "SHORT_BINBYTES", "BINBYTES", "BINBYTES8",
))
# fmt: on
_FRESH = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_TUPLE": tuple, "EMPTY_SET": set}
_MAX_ARGUMENTS = 16  # of a call; the longest known one has eight
_IGNORED = frozenset(("PROTO", "FRAME", "STOP"))


def load(stream, builders, persistent=None):
    """Reads one pickle.

    Args:
        stream: A binary file positioned at the pickle, or bytes. A file must not allocate memory
            for bytes that it does not have (`io.BytesIO` and `mmap` do not).
        builders: `{Symbol: function}`: what the pickle may call or instantiate, and our own
            function that is called instead.
        persistent: Function from a persistent id to an object, or None if there are none.

    Returns:
        The object: plain containers, strings, numbers, `Symbol`s, and what the builders return.

    Raises:
        CheckpointError: If the pickle is damaged or asks for anything else.
    """
    machine = _Machine(builders, persistent)
    for count, (operation, argument, _) in enumerate(_operations(stream)):
        if count >= MAX_OPERATIONS:
            raise refusal("a pickle that does not end", f"at most {MAX_OPERATIONS} operations")
        machine.step(operation.name, argument)
    return machine.result()


def _operations(stream):
    try:
        yield from pickletools.genops(stream)
    except (ValueError, OverflowError, MemoryError, struct.error) as error:
        raise refusal(f"a damaged pickle ({shown(str(error), 120)})", "a complete one") from error


class _Machine:
    """The stack, the marks on it and the memo. One method per opcode, named by the opcode."""

    def __init__(self, builders, persistent):
        self._builders = builders
        self._persistent = persistent
        self._stack = []
        self._marks = []
        self._memo = {}

    def step(self, name, argument):
        """Executes one operation."""
        if name in _LITERALS:
            self._push(argument)
        elif name in _CONSTANTS:
            self._push(_CONSTANTS[name])
        elif name in _FRESH:
            self._push(_FRESH[name]())
        elif name not in _IGNORED:
            method = getattr(type(self), f"_op_{name.lower()}", None)
            if method is None:
                raise _forbidden(f"the operation {name} {shown(argument)}")
            method(self, argument)

    def result(self):
        """Returns the one object that is left."""
        if self._marks or len(self._stack) != 1:
            raise refusal(f"{len(self._stack)} objects at the end of a pickle", "one")
        return self._stack[0]

    def _push(self, value):
        self._stack.append(value)

    def _pop(self):
        self._need(1)
        return self._stack.pop()

    def _need(self, count):
        if len(self._stack) - (self._marks[-1] if self._marks else 0) < count:
            raise refusal("a pickle that takes from an empty stack", "a complete one")

    def _top(self, kind):
        self._need(1)
        if not isinstance(self._stack[-1], kind):
            raise refusal(
                f"a pickle that fills a {type(self._stack[-1]).__name__}", f"a {kind.__name__}"
            )
        return self._stack[-1]

    def _pop_marked(self):
        if not self._marks:
            raise refusal("a pickle that looks for a missing mark", "a complete one")
        start = self._marks.pop()
        items = self._stack[start:]
        del self._stack[start:]
        return items

    # ---------------------------------------------------------------- stack, marks and memo

    def _op_mark(self, _):
        self._marks.append(len(self._stack))

    def _op_pop(self, _):
        if self._marks and self._marks[-1] == len(self._stack):
            self._marks.pop()
        else:
            self._pop()

    def _op_pop_mark(self, _):
        self._pop_marked()

    def _op_dup(self, _):
        self._need(1)
        self._push(self._stack[-1])

    def _op_put(self, index):
        self._need(1)
        self._memo[index] = self._stack[-1]

    _op_binput = _op_long_binput = _op_put

    def _op_memoize(self, _):
        self._op_put(len(self._memo))

    def _op_get(self, index):
        if index not in self._memo:
            raise refusal(f"a pickle that recalls the unknown object {index}", "a complete one")
        self._push(self._memo[index])

    _op_binget = _op_long_binget = _op_get

    # --------------------------------------------------------------------------- containers

    def _op_tuple(self, _):
        self._push(tuple(self._pop_marked()))

    def _push_tuple(self, count):
        self._need(count)
        items = tuple(self._stack[-count:])
        del self._stack[-count:]
        self._push(items)

    def _op_tuple1(self, _):
        self._push_tuple(1)

    def _op_tuple2(self, _):
        self._push_tuple(2)

    def _op_tuple3(self, _):
        self._push_tuple(3)

    def _op_list(self, _):
        self._push(self._pop_marked())

    def _op_append(self, _):
        self._extend([self._pop()])

    def _op_appends(self, _):
        self._extend(self._pop_marked())

    def _extend(self, items):
        target = self._top(list)
        _check_not_inside(target, items)
        target.extend(items)

    def _op_dict(self, _):
        items = self._pop_marked()
        self._push({})
        self._set_items(items)

    def _op_setitem(self, _):
        value = self._pop()
        self._set_items([self._pop(), value])

    def _op_setitems(self, _):
        self._set_items(self._pop_marked())

    def _set_items(self, items):
        target = self._top(dict)
        if len(items) % 2:
            raise refusal("a pickled dictionary with a key without a value", "pairs")
        _check_not_inside(target, items)
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[checked_key(key)] = value

    def _op_additems(self, _):
        items = self._pop_marked()
        self._top(set).update(map(checked_key, items))

    def _op_frozenset(self, _):
        self._push(frozenset(map(checked_key, self._pop_marked())))

    # ------------------------------------------------------------------------ names and calls

    def _op_global(self, argument):
        module, _, name = argument.partition(" ")
        self._push(Symbol(module, name))

    def _op_stack_global(self, _):
        name, module = self._pop(), self._pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise refusal("a pickled name that is no string", "a module and a name")
        self._push(Symbol(module, name))

    def _op_inst(self, argument):
        raise _forbidden(str(Symbol(*argument.partition(" ")[::2])))

    def _op_reduce(self, _):
        arguments, function = self._pop(), self._pop()
        if not isinstance(function, Symbol) or function not in self._builders:
            raise _forbidden(function if isinstance(function, Symbol) else type(function).__name__)
        builder = self._builders[function]
        if not _accepts(builder, arguments):
            raise refusal(f"{function} with unknown arguments", "those that the framework writes")
        self._push(builder(*arguments))

    _op_newobj = _op_reduce

    def _op_build(self, _):
        state = self._pop()
        self._need(1)
        target = self._stack[-1]
        if isinstance(target, Buildable):
            target.set_state(state)
        elif not (isinstance(target, dict) and isinstance(state, dict)):
            raise _forbidden(target if isinstance(target, Symbol) else type(target).__name__)
        # Attributes of a dictionary (PyTorch's `_metadata`) say nothing about the tensors.

    def _op_binpersid(self, _):
        if self._persistent is None:
            raise refusal("a pickle that refers to data outside of it", "one that is complete")
        self._push(self._persistent(self._pop()))


def _accepts(builder, arguments):
    if not isinstance(arguments, tuple) or len(arguments) > _MAX_ARGUMENTS:
        return False
    try:
        inspect.signature(builder).bind(*arguments)
    except TypeError:
        return False
    return True


def _check_not_inside(target, items):
    if any(item is target for item in items):
        raise refusal("a pickled container that holds itself", "plain tensors and containers")


def _forbidden(what):
    return refusal(
        f"a pickle that asks for code to be run, or for an object that is neither a tensor nor a "
        f"plain container: {what} (nothing was run)",
        "tensors, numbers, strings, lists and dictionaries only",
        "If you trust its source, save the network's state_dict alone, where the model is known.",
    )
