"""Trials, shared and own images, and the split of the paper."""

import numpy as np
import pytest

from skalign.datasets import NSDSubject
from skalign.datasets._nsd._experiment import ExperimentDesign
from tests.datasets.nsd_folder import design, image_of_trial, paths, write_folder

pytest.importorskip("h5py", reason="NSD is read with h5py")
pytest.importorskip("nibabel", reason="NSD is read with nibabel")


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    root = tmp_path_factory.mktemp("nsd")
    write_folder(root)
    return NSDSubject(root, 1)


def seen_three_times_by_all():
    """Shared images, by counting trials one by one."""
    completed = [40, 40, 32, 30, 40, 32, 40, 30]
    order = design()["masterordering"][0].astype(int)
    seen = None
    for number, n_sessions in enumerate(completed):
        counts = np.zeros(73_001, dtype=int)
        for column in order[: 750 * n_sessions]:
            counts[int(design()["subjectim"][number, column - 1])] += 1
        of_subject = {
            int(image) - 1 for image in design()["sharedix"][0] if counts[int(image)] >= 3
        }
        seen = of_subject if seen is None else seen & of_subject
    return sorted(seen)


def test_trials(subject):
    trials = subject.trials()
    assert trials.tolist() == [image_of_trial(1, trial) for trial in range(1500)]
    np.testing.assert_array_equal(subject.trials([2]), trials[750:])


def test_trials_differ_between_subjects_but_for_shared_images(subject):
    experiment = ExperimentDesign(paths(subject.root).design)
    first, third = (experiment.trials(number, [2, 40][:1]) for number in (1, 3))
    assert third.tolist() == [image_of_trial(3, trial) for trial in range(750, 1500)]
    is_shared = np.isin(first, experiment.shared)
    assert 0 < is_shared.sum() < 750
    np.testing.assert_array_equal(first == third, is_shared)


def test_kinds_of_images(subject):
    shared, own = subject.images("shared1000"), subject.images("own")
    assert shared.tolist() == sorted((design()["sharedix"][0].astype(int) - 1).tolist())
    assert own.tolist() == sorted((design()["subjectim"][0, 1000:].astype(int) - 1).tolist())
    assert subject.images("shared515").tolist() == seen_three_times_by_all()
    assert len(subject.images("shared515")) == 515
    shared[:] = 0  # a copy
    assert subject.images("shared1000").any()
    with pytest.raises(ValueError, match='"shared1000", "shared515" or "own"; got \'shared\''):
        subject.images("shared")


def test_split(subject):
    split = subject.split(n_train=300, n_validation=140)
    assert (len(split.train), len(split.test), len(split.validation)) == (300, 60, 140)
    trials = subject.trials().tolist()
    own = set(subject.images("own").tolist())
    assert not set(split.train) & set(split.validation)
    assert set(split.train) | set(split.validation) <= own
    assert set(split.test) == set(subject.images("shared515")) & set(trials)
    for images in (split.train, split.test, split.validation):
        assert (np.diff(images) > 0).all()
        assert {trials.count(image) for image in images} == {3}


def test_split_of_a_whole_subject_is_the_papers(subject):
    experiment = ExperimentDesign(paths(subject.root).design)
    split = experiment.split(7, list(range(1, 41)), 1000, 1000, 3, 0)
    assert (len(split.train), len(split.test), len(split.validation)) == (1000, 515, 1000)
    assert split.test.tolist() == seen_three_times_by_all()


def test_split_is_drawn(subject):
    first, again, other = (
        subject.split(n_train=100, n_validation=0, random_state=state) for state in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.train, again.train)
    assert set(first.train) != set(other.train)
    assert not first.validation.size


def test_split_knows_the_sessions(subject):
    split = subject.split(n_train=20, n_validation=5, sessions=[1], min_trials=2)
    trials = subject.trials([1]).tolist()
    assert {trials.count(image) for image in split.train} == {2, 3}
    assert {trials.count(image) for image in split.test} == {2, 3}
    with pytest.raises(ValueError, match=r"at most 440, .*subject 1's own .* got 1000 \+ 1000"):
        subject.split()


@pytest.mark.parametrize("name", ["n_train", "n_validation", "min_trials"])
def test_split_checks_its_numbers(subject, name):
    with pytest.raises(ValueError, match=f"{name} == -1, must be"):
        subject.split(**{name: -1})
    with pytest.raises(TypeError, match=f"{name} must be an instance of"):
        subject.split(**{name: 2.5})
