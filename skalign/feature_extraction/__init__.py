"""From images to features: the activations of a network's layer."""

from skalign.feature_extraction._layer_activations import LayerActivations

__all__ = ["LayerActivations"]
