# SPDX-License-Identifier: MIT
"""A seeded mistake: one source with one small change in its text, which a test must notice.

Here stands that the changed text occurs exactly once in the source, so that an entry which no longer
fits is an error and not a mistake that nobody tries. Which mistakes there are, how the changed
source is built and who must notice it, is decided by the suites that have such a list.
"""

import os


class Wrong(Exception):
    """The list of mistakes, the sources or a build are not as they should be."""


def changed_text(name, root, file, old, new):
    """The text of `file`, a path below `root`, with the mistake `name` in it."""
    try:
        with open(os.path.join(root, file), encoding="utf-8") as source:
            text = source.read()
    except OSError as error:
        raise Wrong(f"{name}: {error}") from None
    found = text.count(old)
    if found != 1:
        raise Wrong(f"{name}: its old text occurs {found} times in {file}, not once: "
                    "the source has changed")
    return text.replace(old, new)
