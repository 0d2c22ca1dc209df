"""The files of a model's directory, which others made: each lies in it, whatever it links to."""

from __future__ import annotations

from pathlib import Path

from .checkpoint import CheckpointError


def file_in(folder: Path, name: str) -> Path:
    """The path of a file in a directory; whether there is one is for the caller to ask.

    Raises CheckpointError for a link that leads out of the directory, and for a pipe, a device or a
    directory. What is `snapshots/REVISION` of a cache of the Hugging Face Hub may link to the
    `blobs` beside `snapshots`. A directory that itself is a link is where it leads.
    """
    path = folder / name
    try:
        if not path.exists():
            return path
        home, target = folder.resolve(), path.resolve()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from None
    homes = [home]
    if home.parent.name == "snapshots":
        homes.append(home.parent.parent / "blobs")
    if not any(target.is_relative_to(one) for one in homes):
        raise CheckpointError(
            f"{path}: is a link to {target}, outside of {home}; if that is the file you mean, "
            "put the file itself here"
        )
    if not target.is_file():
        raise CheckpointError(f"{path}: is no file, but a directory, a pipe or a device")
    return path
