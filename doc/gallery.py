"""Order of the gallery, arguments of its script, and what must not pass between examples."""

import sys
from pathlib import Path
from tempfile import mkdtemp

import sklearn

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the tests' small folder
from tests.datasets.nsd_example import write_example

ORDER = [
    "plot_first_encoding_model",
    "plot_tuning_toy",
    "plot_observed_theta",
    "plot_rotation",
    "plot_empty_fits",
    "plot_standardize",
    "plot_missing_responses",
    "plot_price_of_sign",
    "plot_selective_cortex",
    "plot_ffa_case",
    "nsd_ffa",
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


class Arguments:
    """What the scripts of the gallery are called with: one reads NSD, here a small folder."""

    def __call__(self, gallery_conf, script_vars):
        """Write the folder and return the arguments."""
        if Path(script_vars["src_file"]).stem != "nsd_ffa":
            return []
        folder = Path(mkdtemp()) / "nsd"
        folder.mkdir()
        return [str(argument) for argument in (folder, *write_example(folder))]

    def __repr__(self):
        """Return what stays the same in every build, so that Sphinx keeps its cache."""
        return "Arguments()"
