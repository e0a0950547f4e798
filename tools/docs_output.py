"""Puts what the code of documentation pages prints into them: ``python tools/docs_output.py docs/howto/tables.md …``.

Only blocks that say something else change. Look at the difference afterwards: it may be a mistake, and where the new
text holds what varies from run to run, ``…`` has to stand for it again.
"""

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import doc_pages


def refresh(path: Path) -> int:
    """Run a page in an empty folder; return how many of its blocks of output have changed."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    changes = []
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for block, printed in doc_pages.outputs(path):
            if not doc_pages.matches(printed, block.text):
                changes.append((block, doc_pages.tidy(printed)))
        os.chdir(path.parent)
    for block, printed in reversed(changes):  # from the end, so that lines keep their numbers
        start = block.line - 1
        lines[start : start + block.text.count("\n")] = [line + "\n" for line in printed]
    if changes:
        path.write_text("".join(lines), encoding="utf-8")
    return len(changes)


def main() -> None:
    os.environ |= doc_pages.ENVIRONMENT
    for path in [Path(name).resolve() for name in sys.argv[1:]]:
        print(f"{path.name}: {refresh(path)} blocks of output changed")


if __name__ == "__main__":
    main()
