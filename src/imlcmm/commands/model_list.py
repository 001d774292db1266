"""The list of the models, read from their files: importing them takes longer than a reader of a list waits."""

import ast
from pathlib import Path

import imlcmm


def model_list() -> str:
    """List the registered models in the order of the registry, a line each: name and idea."""
    folder = Path(imlcmm.__file__).with_name("models")
    parsed = {file.stem: ast.parse(file.read_text(encoding="utf-8")).body for file in folder.glob("*.py")}
    ideas = {
        node.name: (ast.get_docstring(node) or "").partition("\n")[0]
        for body in parsed.values()
        for node in body
        if isinstance(node, ast.ClassDef)
    }
    named = next(node.value for node in parsed["__init__"] if isinstance(node, ast.Assign))
    names = [name for name in ast.literal_eval(named) if name in ideas and name != "SentimentModel"]
    width = max(map(len, names))
    return "\n".join(f"{name.ljust(width)}  {ideas[name]}" for name in names)
