"""Ghost modules for any network: `ghostify`, and what it saves."""

from keras_ghostnet.ghosting.costs import LayerCost, ghost_costs
from keras_ghostnet.ghosting.ghostify import ghostify

__all__ = ["LayerCost", "ghost_costs", "ghostify"]
