"""The command that hands a run to others."""

from pathlib import Path

from imlcmm.commands.show import show
from imlcmm.errors import ImlcmmError


def share(run: Path, out: Path | None = None, *, hub: str | None = None, public: bool = False) -> None:
    """Write a run for others, or upload it: models, scores, card and recipe, and nothing of this machine.

    Args:
        run: Run folder.
        out: Folder to write.
        hub: OWNER/NAME on the Hugging Face hub to upload to, after `hf auth login`.
        public: Whether everybody may see it there, if it is new; without it, its owner alone.
    """
    from imlcmm.training.run import load_run

    if (out is None) == (hub is None):
        raise ImlcmmError("give either a folder to write, or --hub OWNER/NAME")
    opened = load_run(run)
    if out is not None:
        opened.save_pretrained(out)
        size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
        show(f"{out} written: {opened.name}, {len(opened.seeds)} seeds, {size / 1e6:.1f} MB; its card is README.md")
    else:
        show(f"uploaded to {opened.push_to_hub(str(hub), private=not public)}")
