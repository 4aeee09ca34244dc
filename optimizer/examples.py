"""Writing the examples: a workspace with tables and a plan that a newcomer can run at once.

`synthetic`: a made-up bank of any size whose truth is known. `grocer`: real households of a grocer.
"""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from importlib.resources import files
from pathlib import Path

import jinja2
import yaml

from models.grocer import write_grocer
from models.synthetic import write_base
from optimizer.faults import BadInput, Fault

EXAMPLES = ("grocer", "synthetic")
DEFAULT_CUSTOMERS = 20_000  # the size for which the synthetic plan's amounts are written
_SEED = 7
_START = date(2026, 11, 30)
_ASIDE = "replaced"


def write_example(name: str, folder: Path, customers: int | None = None, force: bool = False) -> Path:
    """Write the workspace of an example into `folder` (tables and plan.yaml), whole or not at all; return it.

    name: `grocer` (2,469 real households) or `synthetic` (`customers` of them, default 20,000).
    force: replace the workspace of the same example there. Only what an example writes is replaced; all else
    in the folder (`runs`, `segments`, own files) stays as it is.

    Raises BadInput for an unknown name, for `customers` with `grocer` or below 1, and for a folder that is a
    file, or is not empty and either `force` is not given or its plan.yaml is not this example's.
    """
    folder = folder.absolute()
    _finish_replacing(folder)
    faults = [*_argument_faults(name, customers), *_folder_faults(name, folder, force)]
    if faults:
        raise BadInput(faults)
    with _sibling(folder) as fresh:
        if name == "grocer":
            write_grocer(fresh)
            text = plan_text(name)
        else:
            size = customers or DEFAULT_CUSTOMERS
            write_base(fresh, size, _SEED, _START)
            text = plan_text(name, size)
        (fresh / "plan.yaml").write_text(text, encoding="utf-8")
        _put_in_place(fresh, folder)
    return folder


def plan_text(name: str, customers: int = DEFAULT_CUSTOMERS) -> str:
    """Return the example's plan.yaml, its amounts scaled from 20,000 to `customers` (synthetic only).

    Maxima are rounded up and minimums down, so that a small base can keep them too.
    """
    factor = customers / DEFAULT_CUSTOMERS
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False
    )
    environment.filters["most"] = lambda amount: math.ceil(amount * factor)
    environment.filters["least"] = lambda amount: math.floor(amount * factor)
    source = (files("optimizer") / "examples" / f"{name}.yaml").read_text(encoding="utf-8")
    return environment.from_string(source).render(customers=f"{customers:,}")


def _argument_faults(name: str, customers: int | None) -> Iterator[Fault]:
    """Find what is wrong with the example's name and size."""
    if name not in EXAMPLES:
        yield Fault("example", "", f"there is no example {name!r}", f"Use one of: {', '.join(EXAMPLES)}.")
    elif name == "grocer" and customers is not None:
        rule = "the grocer's households are real, their number is fixed"
        yield Fault("customers", "", rule, "Leave the number out, or use the example synthetic.")
    elif customers is not None and customers < 1:
        yield Fault("customers", "", f"is {customers}", "Give at least 1.")


def _folder_faults(name: str, folder: Path, force: bool) -> Iterator[Fault]:
    """Find why nothing may be written into the folder."""
    if not folder.exists():
        return
    if not folder.is_dir():
        yield Fault(str(folder), "", "is a file", "Name a folder.")
    elif not any(folder.iterdir()):
        return
    elif not force:
        yield Fault(str(folder), "", "is not empty", "Name another folder, or use --force.")
    elif not (folder / "plan.yaml").is_file():
        yield Fault(str(folder), "", "holds no plan.yaml, so it is no workspace", "Name another folder.")
    elif _plan_name(folder / "plan.yaml") != name:
        rule = f"holds another plan than that of the example {name}"
        yield Fault(str(folder), "", rule, "Name another folder, or remove this one yourself.")


def _plan_name(plan: Path) -> object:
    """Return the `name` of a plan file, None where it cannot be read."""
    try:
        read = yaml.safe_load(plan.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None
    return read.get("name") if isinstance(read, dict) else None


@contextmanager
def _sibling(folder: Path) -> Iterator[Path]:
    """Give an empty folder beside the folder, on the same disk; what is left in it is removed."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as made:
        fresh = Path(made) / "workspace"
        fresh.mkdir()
        yield fresh


def _put_in_place(fresh: Path, folder: Path) -> None:
    """Rename the new workspace into its place; an old one is moved aside and its other files brought over."""
    if folder.exists() and not any(folder.iterdir()):
        folder.rmdir()
    if not folder.exists():
        fresh.rename(folder)
        return
    aside = _aside(folder)
    folder.rename(aside)
    try:
        fresh.rename(folder)
    except OSError:
        aside.rename(folder)
        raise
    _finish_replacing(folder)


def _finish_replacing(folder: Path) -> None:
    """Bring over what an example does not write, and drop the old tables; or undo a replacing cut short."""
    aside = _aside(folder)
    if not aside.is_dir():
        return
    if not folder.exists():
        aside.rename(folder)
        return
    for entry in sorted(aside.iterdir()):
        if not (folder / entry.name).exists():
            entry.rename(folder / entry.name)
    shutil.rmtree(aside)


def _aside(folder: Path) -> Path:
    """Return where an old workspace waits while the new one is put in its place."""
    return folder.with_name(f".{folder.name}-{_ASIDE}")
