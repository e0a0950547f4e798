"""How the site is built: ``sphinx-build -W -n --keep-going docs build/docs``."""

import html
import re
from pathlib import Path

from sphinx.util.nodes import make_refnode

import fastnn

project = "fastnn"
author = "the fastnn developers"
release = version = fastnn.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = f"fastnn {version}"
html_show_sourcelink = False
html_show_copyright = False
html_copy_source = False
html_static_path = ["static"]
html_css_files = ["site.css"]

# Docstrings follow numpydoc. Their types are prose ("array_like, shape (n, n_features)"), so no links are made of them.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_param = False
napoleon_use_rtype = False
napoleon_custom_sections = ["Reproducibility", ("Attributes", "params_style")]
default_role = "py:obj"  # what stands in single backticks is a name
nitpick_ignore_regex = [("py:obj", r"(sklearn|torch)\..*")]  # names of others: their own sites describe them

smartquotes_action = "D"  # dashes, but no curly quotes

myst_heading_anchors = 3  # links to headings work as on a code host

# Markdown files beside ``docs/`` that are pages of the site: links to them are written as a code host needs them.
PAGES = {
    "benchmarks/README.md": "/benchmarks.md",
    "CONTRIBUTING.md": "/contributing.md",
    "CHANGELOG.md": "/changelog.md",
    "SECURITY.md": "/security.md",
}


def link_pages(app, page, source):
    """Lead links to files that are pages of the site to those pages."""
    for path, target in PAGES.items():
        source[0] = re.sub(rf"\]\((?:\.\./)+{re.escape(path)}", f"]({target}", source[0])


def inline_animations(app, page, source):
    """Put drawings that move into the page itself, with a switch that stops them: an image cannot be stopped."""
    if app.builder.format == "html":
        folder = Path(app.env.doc2path(page)).parent
        source[0] = re.sub(
            r"^!\[([^\]]+)\]\((\S+\.svg)\)$", lambda found: inlined(found, folder), source[0], flags=re.M
        )


def inlined(found, folder):
    alt, path = found.groups()
    drawing = (folder / path).read_text(encoding="utf-8")
    drawing = re.sub(r'aria-labelledby="[^"]*"', f'aria-label="{html.escape(alt)}"', drawing)
    drawing = re.sub(r"<title.*?</title>\n", "", drawing)
    switch = '<label><input type="checkbox"> Pause</label>'
    return f'```{{raw}} html\n<div class="animation">{switch}\n{drawing}</div>\n```'


def link_numerics(app, what, name, obj, options, lines):
    """Make links of what docstrings, which are read elsewhere too, say about the numerics contract."""
    lines[:] = [line.replace("docs/numerics.md", ":doc:`the numerics contract </numerics>`") for line in lines]


def link_by_ending(app, env, node, text):
    """Find what docstrings name without its module, or as a name of ``fastnn`` itself, if one object is called so."""
    if node.get("refdomain") != "py":
        return None
    domain, name = env.domains["py"], node["reftarget"].removeprefix("fastnn.")
    entries = ((full, entry) for full, entry in domain.objects.items() if not entry.aliased)
    found = [full for full, _ in entries if full.startswith("fastnn.") and full.endswith(f".{name}")]
    if len(found) != 1:
        return None
    target = domain.objects[found[0]]
    return make_refnode(app.builder, node["refdoc"], target.docname, target.node_id, text, found[0])


def list_activations(app, what, name, obj, options, lines):
    """Add to what is said of `Activation` a table of them all."""
    if name == "fastnn.Activation":
        table = [("name", "default of alpha", '"auto" before it'), *map(row_of, fastnn.layers.ACTIVATIONS.items())]
        lines += ["", ".. list-table::", "   :header-rows: 1", ""]
        lines += [f"   {'*' if cell is row[0] else ' '} - {cell}" for row in table for cell in row] + [""]


def row_of(entry):
    name, kind = entry
    return f'``"{name}"``', "—" if kind.alpha is None else f"{kind.alpha:g}", f'``"{kind.initializer}"``'


def setup(app):
    app.connect("source-read", link_pages)
    app.connect("source-read", inline_animations)
    app.connect("missing-reference", link_by_ending)
    app.connect("autodoc-process-docstring", link_numerics)
    app.connect("autodoc-process-docstring", list_activations, priority=600)  # after sections have become markup
