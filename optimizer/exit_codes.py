"""With which code a command ends, and the words for errors that a user can meet.

0 done; 1 the plan's limits cannot all hold; 2 bad input or a call that cannot be served (another run under
way); 3 the machine or the program failed (a full disk, a bug).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from optimizer.faults import BadInput

DONE, CANNOT_HOLD, BAD_INPUT, FAILED = 0, 1, 2, 3


@contextmanager
def expected_errors() -> Iterator[None]:
    """Turn errors that a user can meet into words and an exit code; all others pass."""
    from optimizer import screen  # noqa: PLC0415
    from optimizer.run_folder import AnotherRun  # noqa: PLC0415

    try:
        yield
    except BadInput as bad:
        screen.show_faults(bad.faults)
        raise typer.Exit(BAD_INPUT) from None
    except AnotherRun as other:
        screen.show_error(f"another run is under way in {other}. Wait until it has ended, then run again.")
        raise typer.Exit(BAD_INPUT) from None
    except (FileExistsError, NotADirectoryError) as taken:
        screen.show_error(f"{taken}. Nothing was written.")
        raise typer.Exit(BAD_INPUT) from None
    except Exception as failure:
        words = _failure_in_words(failure)
        if words is None:
            raise
        screen.show_error(words)
        raise typer.Exit(FAILED) from None


def _failure_in_words(failure: Exception) -> str | None:
    from optimizer import failures  # noqa: PLC0415
    from optimizer.audit import AuditFailed  # noqa: PLC0415

    if isinstance(failure, AuditFailed):
        return f"{failure} This is a fault of contactplan: please report it."
    return failures.in_words(failure)
