"""Source code as a document: expressions, statements, names, and the one printer."""
