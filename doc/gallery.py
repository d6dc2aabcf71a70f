"""Order of the gallery, and what must not pass from one example to the next."""

from pathlib import Path

import sklearn

ORDER = [
    "plot_first_encoding_model",
    "plot_tuning_toy",
    "plot_observed_theta",
    "plot_rotation",
    "plot_selective_cortex",
    "plot_ffa_case",
    "plot_choose_alpha",
    "plot_map",
    "plot_many_networks",
    "plot_image_files",
    "plot_real_network",
]


def by_difficulty(file_name):
    """Key that sorts examples from easy to long; new ones come last."""
    name = Path(file_name).stem
    return (ORDER.index(name) if name in ORDER else len(ORDER), name)


def reset_scikit_learn(gallery_conf, fname):
    """Set back scikit-learn's configuration."""
    sklearn.set_config(enable_metadata_routing=False, transform_output="default")
