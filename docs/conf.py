"""Sphinx: the folder's Markdown as pages (``make docs``); code blocks are run by tests/docs, not here."""

project = "ringlab"
author = "the ringlab founders"
copyright = "2026, the ringlab founders"  # noqa: A001 - Sphinx' name
extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
# Files of the tree that pages link to are no pages.
suppress_warnings = ["myst.xref_missing", "myst.header"]
exclude_patterns = ["_build", "figures", "tutorials/notebooks"]
html_theme = "furo"
html_title = "ringlab"
html_copy_source = False
html_show_sphinx = False
