"""The command that serves the workbench."""

from collections.abc import Sequence
from pathlib import Path

from imlcmm.commands.show import show
from imlcmm.errors import MissingPackageError
from imlcmm.features.extractor_options import ExtractorOptions


def serve(
    *,
    extractor: ExtractorOptions,
    workspace: Path = Path("workbench"),
    host: str = "127.0.0.1",
    port: int = 8765,
    no_open: bool = False,
    allow_hosts: Sequence[str] = (),
    workers: int = 1,
    time_limit: float = 600.0,
    memory_limit: float = 6.0,
    largest_upload: float = 8.0,
    most_recordings: int = 100_000,
    rate: int = 300,
) -> None:
    """Serve the workbench in a browser, on this machine: upload, score, correct, label, train, compare.

    Args:
        workspace: Folder that keeps everything; made where it is missing.
        host: Address to listen at; with another than this machine's own, a token is asked for: the environment's
            IMLCMM_TOKEN, or the file `token` that is made in the workspace.
        port: Port to listen at; 0 takes a free one.
        no_open: Do not open a browser.
        allow_hosts: Further names by which browsers may call the server, such as that of a proxy before it.
        extractor: What to extract with.
        workers: Recordings scored at a time.
        time_limit: Seconds without coming further in a recording after which it is given up.
        memory_limit: GiB of memory that one recording may take.
        largest_upload: Gigabytes that a recording may have.
        most_recordings: Recordings that the workspace may hold.
        rate: Requests a second that one address may send.
    """
    try:
        from imlcmm.serve.bench import ServeOptions
        from imlcmm.serve.server import serve as run
    except ImportError as error:
        raise MissingPackageError(f"{error.name} is not installed; pip install 'imlcmm[serve]'") from error
    from imlcmm.jobs.workers import Limits

    run(
        workspace,
        host=host,
        port=port,
        allow_hosts=allow_hosts,
        open_browser=not no_open,
        extractor=extractor,
        options=ServeOptions(largest_upload, most_recordings, rate),
        workers=workers,
        limits=Limits(time_limit, memory_limit),
        say=show,
    )
