"""Record what is written, or show it."""

from __future__ import annotations

import argparse

from tests.written.areas import AREAS
from tests.written.record import record


def main() -> None:
    """Parse the command line and do it."""
    parser = argparse.ArgumentParser(prog="python -m tests.written")
    parser.add_argument("areas", nargs="*", help=f"of {', '.join(AREAS)}; all when none is given")
    parser.add_argument(
        "--show", nargs=2, metavar=("AREA", "CASE"), help="print the text of cases whose name begins so"
    )
    options = parser.parse_args()
    if options.show:
        area, wanted = AREAS[options.show[0]], options.show[1]
        groups = [g for g in area.groups if wanted.startswith(g) or g.startswith(wanted)]
        for case, text in (t for g in groups for t in area.texts(g)):
            if case.startswith(wanted):
                print(f"# {case}\n{text}\n")
        return
    for name in options.areas or AREAS:
        record(AREAS[name])


if __name__ == "__main__":
    main()
