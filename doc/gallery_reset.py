"""What an example changes in scikit-learn must not reach the next one."""

import sklearn


def reset_scikit_learn(gallery_conf, fname):
    """Set back scikit-learn's configuration."""
    sklearn.set_config(enable_metadata_routing=False, transform_output="default")
