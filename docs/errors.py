"""Tables of errors, taken from their classes and from the code that raises them."""

import ast
import inspect
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module

from deploy import ROOT
from deploy.markdown import table

SOURCES = ("backend", "lambdas", "workflows")
ONLY_A_RUN_KNOWS = "…"


def errors_of(module: str, base: str, without: str = "") -> Callable[[], str]:
    """Return a renderer of the errors that specialize a base class."""

    def render() -> str:
        rows = [
            (f"`{one.__name__}`", meaning(one), "<br>".join(remedies()[one.__name__]))
            for one in leaves(module, base, without)
        ]
        return table(("error", "meaning", "what to do"), rows)

    return render


def refusals() -> str:
    """Return the classes of refused operations, and the exit codes of commands."""
    module = import_module("qu_workflows.protocol.refusals")
    found = (one for one in vars(module).values() if inspect.isclass(one) and hasattr(one, "exit_code"))
    return table(
        ("refusal", "meaning", "exit code"), [(f"`{one.__name__}`", meaning(one), one.exit_code) for one in found]
    )


def leaves(module: str, base: str, without: str) -> Sequence[type]:
    """Return the classes below a base class that no other specializes, by name."""
    classes = [one for one in vars(import_module(module)).values() if inspect.isclass(one)]
    by_name = {one.__name__: one for one in classes}
    found = [
        one for one in classes if issubclass(one, by_name[base]) and not (without and issubclass(one, by_name[without]))
    ]
    return sorted((one for one in found if not one.__subclasses__()), key=lambda one: one.__name__)


def meaning(documented: type) -> str:
    """Return the first paragraph of a docstring."""
    return (inspect.getdoc(documented) or "").partition("\n\n")[0].replace("\n", " ")


@cache
def remedies() -> Mapping[str, Sequence[str]]:
    """Return the remedies of errors by class: the last of three arguments."""
    found: dict[str, set[str]] = defaultdict(set)
    for file in sorted(path for folder in SOURCES for path in (ROOT / folder).rglob("*.py")):
        for name, remedy in _remedies_in(ast.parse(file.read_text(encoding="utf-8"))):
            found[name].add(re.sub(r"([|<>*])", r"\\\1", remedy))
    return defaultdict(tuple, {name: tuple(sorted(texts)) for name, texts in found.items()})


def _remedies_in(tree: ast.Module) -> Iterator[tuple[str, str]]:
    assigned = {
        node.targets[0].id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 3:
            remedy = node.args[2]
            text = _text(assigned.get(remedy.id, remedy) if isinstance(remedy, ast.Name) else remedy)
            if len(text.strip(" ." + ONLY_A_RUN_KNOWS).split()) > 1:
                chosen = assigned.get(node.func.id)  # leaf = UnreadableAudio if … else UnreadableVideo
                both = (chosen.body, chosen.orelse) if isinstance(chosen, ast.IfExp) else (node.func,)
                yield from ((one.id, text) for one in both if isinstance(one, ast.Name))


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) if isinstance(part, ast.Constant) else ONLY_A_RUN_KNOWS for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
