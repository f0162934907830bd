"""Names of a source graph whose content may be known before the run: sizes, axes and shapes computed inside the graph."""
