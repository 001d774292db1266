"""The list of the models."""

from imlcmm.model_ideas import model_ideas


def model_list() -> str:
    """List the registered models in the order of the registry, a line each: name and idea."""
    ideas = model_ideas()
    width = max(map(len, ideas))
    return "\n".join(f"{name.ljust(width)}  {idea}" for name, idea in ideas.items())
