"""The passes of every deployment graph, one per file; each changes a graph in place."""
