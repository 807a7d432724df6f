"""report.html: the page, its assets and its templates."""
