"""One input passed again and again, what no dropout changes computed once."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

Versions = dict[int, int]
"""how often a tensor was changed in place, by the tensor's id"""


class RepeatedPasses:
    """Passes of a network over one input that differ by its dropout alone.

    In the first pass the answers of submodules are kept: of those that end before a
    dropout begins, and of those after it that read nothing but what is kept already (a
    skip of the encoder, a second decoder). Of nested submodules the outermost is kept.
    In later passes they hand out what is kept instead of computing it. What a network
    computes between its submodules is computed in each pass.

    Parameters
    ----------
    network : torch.nn.Module
        With its dropout modules active; no other part of it may be random or remember
        earlier inputs. Between passes it is as it was.
    x : (N, C, [Z,] Y, X)
        The input, left as it is.
    dropouts : sequence of torch.nn.Module
        The active ones: :func:`active_dropouts`.
    copied : set of int, optional
        Numbers of the kept answers that the network changes in place after it got
        them, so that it must get copies. The first pass fills the set in; the inputs
        of one network can share it.
    """

    def __init__(
        self,
        network: nn.Module,
        x: Tensor,
        dropouts: Sequence[nn.Module],
        *,
        copied: set[int] | None = None,
    ) -> None:
        self._network = network
        self._x = x
        self._dropouts = frozenset(dropouts)
        self._copied: set[int] = set() if copied is None else copied
        self._calls: list[_Call] | None = None

    def __call__(self) -> dict[str, Tensor]:
        """Return logits by head; gradients must be off, inference mode too."""
        if self._calls is not None:
            with _handed_out(self._calls):
                return self._network(self._x)
        recording = _Recording(self._x, self._dropouts, self._copied)
        with recording.of(self._network):
            answers: dict[str, Tensor] = self._network(self._x)
        spoilt = {n for n, call in enumerate(recording.calls) if call.is_spoilt}
        if not spoilt:
            self._calls = [call.without_inputs() for call in recording.calls]
        # what was changed too early to be kept is kept as a copy in the next pass
        self._copied |= spoilt
        return answers


@dataclass(frozen=True, eq=False)
class _Call:
    """One call of a submodule, and its answer where it is kept."""

    module: nn.Module
    is_kept: bool
    answer: Any = None
    """nested lists, tuples or dicts of tensors"""
    is_copy: bool = False
    """whether the network went on with other tensors than the answer's, of the same
    values"""
    given: tuple[Tensor, ...] = ()
    """what the network went on with"""
    versions: tuple[int, ...] = ()
    """of ``given`` when it was given"""

    @property
    def is_spoilt(self) -> bool:
        """True if the network has changed the answer since."""
        changed = _versions(self.given) != self.versions
        return self.is_kept and not self.is_copy and changed

    def without_inputs(self) -> "_Call":
        """Return what later passes need."""
        return _Call(self.module, self.is_kept, self.answer, self.is_copy)

    def handed_out(self) -> Any:
        """Return the answer in containers that the caller may empty."""
        return tree_map(_copy_of if self.is_copy else _itself, self.answer)


@dataclass(eq=False)
class _Running:
    """A submodule that has begun and not ended."""

    n_calls: int
    """calls that had ended when it began"""
    inputs: tuple[Tensor, ...]
    versions: tuple[int, ...]
    is_known: bool
    """whether it reads only what is the same in every pass"""
    is_random: bool = False
    """whether a dropout has begun inside"""


class _Recording:
    """Listens to one pass and keeps the answers that do not depend on dropout."""

    def __init__(
        self, x: Tensor, dropouts: frozenset[nn.Module], copied: set[int]
    ) -> None:
        self.calls: list[_Call] = []
        """in the order in which they ended, without those inside of a kept one"""
        self._x = (x, _version(x))
        self._dropouts = dropouts
        self._copied = frozenset(copied)
        self._running: list[_Running] = []
        self._has_dropped = False

    @contextmanager
    def of(self, network: nn.Module) -> Iterator[None]:
        """Listen to all submodules inside the block."""
        hooks = []
        try:
            for module in network.modules():
                hooks += [
                    module.register_forward_pre_hook(self._begin, with_kwargs=True),
                    module.register_forward_hook(self._end),
                ]
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _begin(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        inputs = _tensors((args, kwargs))
        versions = _versions(inputs)
        is_known = not self._has_dropped or self._has_kept(inputs, versions)
        self._running.append(_Running(len(self.calls), inputs, versions, is_known))
        if module in self._dropouts:
            self._has_dropped = True
            for running in self._running:
                running.is_random = True

    def _end(self, module: nn.Module, _: object, answer: Any) -> None:
        running = self._running.pop()
        leaves_inputs = _versions(running.inputs) == running.versions
        if not running.is_known or running.is_random or not leaves_inputs:
            self.calls.append(_Call(module, is_kept=False))
            return
        del self.calls[running.n_calls :]
        is_copy = len(self.calls) in self._copied
        given = _tensors(answer)
        kept = tree_map(_copy_of if is_copy else _itself, answer)
        self.calls.append(
            _Call(
                module,
                is_kept=True,
                answer=kept,
                is_copy=is_copy,
                given=given,
                versions=_versions(given),
            )
        )

    def _has_kept(self, inputs: Sequence[Tensor], versions: Sequence[int]) -> bool:
        x, x_version = self._x
        kept: Versions = {id(x): x_version}
        for call in self.calls:
            kept |= zip(map(id, call.given), call.versions, strict=True)
        return bool(inputs) and all(
            kept.get(id(tensor)) == version
            for tensor, version in zip(inputs, versions, strict=True)
        )


@contextmanager
def _handed_out(calls: Sequence[_Call]) -> Iterator[None]:
    """Let submodules answer with what is kept, call by call, inside the block."""
    by_module: dict[nn.Module, list[_Call]] = {}
    for call in calls:
        by_module.setdefault(call.module, []).append(call)
    before: list[tuple[nn.Module, Any]] = []
    try:
        for module, own in by_module.items():
            if any(call.is_kept for call in own):
                before.append((module, vars(module).get("forward")))
                vars(module)["forward"] = _answering(module.forward, iter(own))
        yield
    finally:
        for module, forward in before:
            del vars(module)["forward"]
            if forward is not None:
                vars(module)["forward"] = forward


def _answering(
    computed: Callable[..., Any], calls: Iterator[_Call]
) -> Callable[..., Any]:
    """Return a forward that hands out what is kept of a call, else computes it."""

    def forward(*args: Any, **kwargs: Any) -> Any:
        call = next(calls, None)
        if call is None or not call.is_kept:
            return computed(*args, **kwargs)
        return call.handed_out()

    return forward


def _tensors(nested: Any) -> tuple[Tensor, ...]:
    return tuple(leaf for leaf in tree_leaves(nested) if isinstance(leaf, Tensor))


def _versions(tensors: Sequence[Tensor]) -> tuple[int, ...]:
    return tuple(_version(tensor) for tensor in tensors)


def _version(tensor: Tensor) -> int:
    # tensors made in inference mode do not count their changes
    return -1 if tensor.is_inference() else tensor._version


def _copy_of(leaf: Any) -> Any:
    return leaf.clone() if isinstance(leaf, Tensor) else leaf


def _itself(leaf: Any) -> Any:
    return leaf
