"""What tests of several packages share."""

import pytest


@pytest.fixture(scope="session")
def dask_client():
    """The client of a Dask cluster of two processes, on ports that are free."""
    distributed = pytest.importorskip("distributed", reason="pip install skalign[cluster]")
    with (
        distributed.LocalCluster(
            n_workers=2, processes=True, threads_per_worker=1, dashboard_address="127.0.0.1:0"
        ) as two,
        distributed.Client(two) as client,
    ):
        yield client


@pytest.fixture
def cluster(dask_client):
    """The same cluster, with both of its processes alive, whatever an earlier test has killed."""
    two = dask_client.cluster
    try:
        dask_client.wait_for_workers(2, timeout=20)
    except TimeoutError:
        two.scale(0)
        two.scale(2)
        dask_client.wait_for_workers(2, timeout=60)
    return two


@pytest.fixture
def keeps_copies(dask_client, cluster):
    """The memory manager of Dask drops no copy of a worker that has no block for a while.

    It looks every two seconds: a copy is then sent again for the next block.
    """
    dask_client.amm.stop()
    yield
    dask_client.amm.start()
