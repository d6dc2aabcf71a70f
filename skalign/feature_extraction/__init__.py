"""From images to features: the activations of a network's layers."""

from skalign.feature_extraction._image_reader import ImageReader
from skalign.feature_extraction._layer_activations import LayerActivations

__all__ = ["ImageReader", "LayerActivations"]
