"""The networks that GhostNets are measured against, with random weights."""
