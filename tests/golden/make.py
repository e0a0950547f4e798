"""Makes the golden digests: ``python tests/golden/make.py``.

They are written to the package, where ``fastnn verify`` finds them; ``golden.json`` beside this file is a link. Digests
change with a new version of the numerics contract, and with a new case; with nothing else. Nothing is written unless
every instruction set and number of threads of this machine agrees.
"""

import sys

from fastnn._verify import THREADS, computed, goldens


def main() -> int:
    """The exit status: 0, or 1 where instruction sets or threads disagree."""
    found: dict[str, dict[str, list[str]]] = {}
    for name, isa, threads, digest in computed(goldens.cases(), (), THREADS):
        found.setdefault(name, {}).setdefault(digest, []).append(isa if threads is None else f"{isa} {threads}")
    wrong = {name: digests for name, digests in found.items() if len(digests) > 1 or ":" in next(iter(digests))}
    for name, digests in wrong.items():
        print(name)
        for digest, where in digests.items():
            print(f"  {digest}  {', '.join(where)}")
    if wrong:
        print(f"{len(wrong)} of {len(found)} differ on this machine; nothing written")
        return 1
    before = goldens.read() if goldens.PATH.exists() else {}
    now = {name: next(iter(digests)) for name, digests in found.items()}
    goldens.write(now)
    changed = sum(before[name] != now[name] for name in before.keys() & now.keys())
    print(
        f"{len(now)} digests written to {goldens.PATH}: "
        f"{len(now.keys() - before.keys())} new, {changed} changed, {len(before.keys() - now.keys())} gone"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
