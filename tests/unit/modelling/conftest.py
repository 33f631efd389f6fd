import pytest
import torch
from checkpoints import write_checkpoint

from finbert_api.modelling.checkpoint import load_checkpoint
from finbert_api.modelling.graph import bert_graph


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Models this small are slower on several threads, many times so on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def checkpoint_folder(tmp_path_factory):
    """A hub-shaped checkpoint whose word table is large enough to be quantised; tests leave it as it is.

    It reads 160 tokens, so that the longest texts, which are cut there, cost little.
    """
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny-finbert", vocab_size=1100, max_tokens=160)


@pytest.fixture(scope="session")
def checkpoint(checkpoint_folder):
    """That checkpoint, loaded."""
    return load_checkpoint(str(checkpoint_folder))


@pytest.fixture(scope="session")
def graph(checkpoint):
    """Its fp32 graph."""
    return bert_graph(checkpoint)


@pytest.fixture(scope="session")
def token_ids(checkpoint):
    """Token ids of forty texts of 3 to 40 tokens."""
    generator = torch.Generator().manual_seed(4)
    lengths = torch.randint(1, 39, (40,), generator=generator).tolist()
    return [[2, *torch.randint(5, 200, (length,), generator=generator).tolist(), 3] for length in lengths]
