"""Configuration of Sphinx: ``make docs``.

The site requests nothing from elsewhere: furo brings its own styles, scripts, search and dark mode, and no fonts.
"""

import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from docs.names import report_unknown_names  # noqa: E402  after the path

project = "QU Workflows"
project_copyright = "QU Security"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
root_doc = "index"
html_theme = "furo"
html_title = project
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_show_copyright = False
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
# READMEs of the wheels, which the site includes: a link to one is a link to its page.
INCLUDED = {"backend/README.md": "reference/platform.md", "workflows/engine/README.md": "reference/engine.md"}
_LINK = re.compile(r"(?<=\]\()((?:\.\./)+[\w./-]+)(?=[#)])")


def link_pages(_app: Any, docname: str, source: list[str]) -> None:
    """Replace links to included READMEs by links to their pages, which GitHub does not have."""
    here = ROOT / "docs" / docname

    def page(link: re.Match[str]) -> str:
        target = (here.parent / link[1]).resolve()
        included = INCLUDED.get(str(target.relative_to(ROOT)) if target.is_relative_to(ROOT) else "")
        return f"/{included}" if included else link[1]

    source[0] = _LINK.sub(page, source[0])


def setup(app: Any) -> None:
    """Connect the checks of links and names."""
    app.connect("source-read", link_pages)
    app.connect("doctree-read", report_unknown_names)
