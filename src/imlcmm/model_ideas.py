"""The registered models and their ideas, read from their files: importing them takes longer than a reader waits."""

import ast
from functools import cache
from pathlib import Path


@cache
def model_ideas() -> dict[str, str]:
    """Give the idea of each registered model by its name, in the order of the registry."""
    folder = Path(__file__).with_name("models")
    parsed = {file.stem: ast.parse(file.read_text(encoding="utf-8")).body for file in folder.glob("*.py")}
    ideas = {
        node.name: (ast.get_docstring(node) or "").partition("\n")[0]
        for body in parsed.values()
        for node in body
        if isinstance(node, ast.ClassDef)
    }
    named = next(node.value for node in parsed["__init__"] if isinstance(node, ast.Assign))
    return {name: ideas[name] for name in ast.literal_eval(named) if name in ideas and name != "SentimentModel"}
