"""Write the pages of the site to a folder: `python -m docs_site FOLDER`; `make docs` builds them."""

from __future__ import annotations

import sys
from pathlib import Path

from meshi_conformance.contract import contract
from meshi_conformance.contract.open_questions import load_questions
from meshi_conformance.plugin.start.launch import tests_by_requirement
from meshi_reference import faults

from .pages import requirement_pages, write

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("python -m docs_site FOLDER: give the folder to write the pages to; what is in it is deleted.")
    made = requirement_pages(contract.load(), tests_by_requirement(), faults.load(), load_questions())
    write(Path(sys.argv[1]), made)
    print(f"{len(made)} pages of requirements in {sys.argv[1]}")
