"""From a flat graph to modules: which nodes make up a call of which module, and which modules share a class."""
