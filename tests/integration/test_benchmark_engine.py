"""The benchmarks of the engine and of the service, at tiny sizes on the bundled model."""

import json
import os
import subprocess
import sys
from statistics import median

import pytest
from support import wait_for

from benchmarks.processes import Samples, sampled
from benchmarks.shapes import SHAPES
from benchmarks.texts import numbered, sentences
from finbert_api.settings import PROJECT_ROOT

pytestmark = pytest.mark.benchmark


@pytest.fixture
def figures_of(tmp_path):
    """Runs a benchmark and gives the figures of its last line, which it must also have kept beside a picture."""

    def run(name, *options):
        # A server that does not answer: whatever DATABASE_URL names is left alone.
        environment = os.environ | {"DATABASE_URL": "postgresql://nobody@192.0.2.1/theirs"}
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks", name, "--model=compact", *options, f"--results={tmp_path}"],
            cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        figures = json.loads(done.stdout.splitlines()[-1])
        assert json.loads((tmp_path / f"{name}.json").read_text()) == figures
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        return figures

    return run


def test_limit_tells_where_a_run_goes(figures_of):
    figures = figures_of("limit", "--batches=2x8", "--rounds=2")

    assert all(rate > 0 for rate in figures["limit_gflops"].values())
    batch = figures["batches"]["2x8"]
    assert batch["share_of_limit"] == pytest.approx(batch["gflops"] / figures["limit_gflops"]["int8"], abs=0.001)
    assert "MatMulIntegerToFloat" in [operator["name"] for operator in batch["operators"]]
    assert sum(operator["share"] for operator in batch["operators"]) == pytest.approx(1, abs=0.01)


def test_serve_compares_the_service_with_the_raw_session_and_the_bare_route(figures_of):
    sizes = ("--clients=2", "--budgets=256", "--rounds=1", "--seconds=1", "--warm-up=0.1")
    figures = figures_of("serve", "--no-peers", *sizes)

    rates = figures["rates"]
    assert rates.keys() == {"service, 1 client", "service, 2 clients", "service, 16 clients", "cached", "bare"}
    assert figures["cached_vs_bare"] == pytest.approx(rates["cached"] / rates["bare"], abs=0.001)
    rounds = figures["rounds"]
    tokens_of_texts = [rate * figures["mean_tokens"] for rate in rounds["raw"]]
    ratios = [served / raw for served, raw in zip(rounds["service, 16 clients, tokens"], tokens_of_texts, strict=True)]
    assert rounds["serve_vs_raw"] == pytest.approx(ratios, abs=0.002)
    for name, turns in (("serve_vs_raw", 4), ("single_overhead_ms", 2)):
        assert len(rounds[name]) == turns
        assert figures[name] == pytest.approx(median(rounds[name]), abs=0.002)
    assert figures["cached_hit_share"] > 0.9
    assert figures["stored"] == figures["answered"] > 0


def test_overload_counts_what_the_service_refuses(figures_of):
    options = ("--clients=8", "--peak-seconds=0.5", "--seconds=2", "--warm-up=0.5")
    figures = figures_of("overload", *options)

    assert figures["offered_rate"] == pytest.approx(5 * figures["rate_before"], abs=0.1)
    peak = (figures["rate_before"] + figures["rate_afterwards"]) / 2
    assert figures["goodput_vs_peak"] == pytest.approx(figures["goodput"] / peak, abs=0.001)
    assert figures["other_answers"] == 0
    assert figures["statuses"].keys() <= {"200", "503", "504"}
    assert figures["failed_afterwards"] == 0
    assert figures["stored"] >= figures["answered"] > 0


def test_observability_compares_with_a_silent_service_and_counts_series(figures_of):
    figures = figures_of("observability", "--rounds=1", "--requests=400", "--seconds=0.3", "--warm-up=0.1")

    for name, load in (("throughput_kept", "unique"), ("cached_throughput_kept", "cached")):
        [usual], [silent] = figures["rounds"][load]["usual"], figures["rounds"][load]["silent"]
        assert figures[name] == pytest.approx(usual / silent, abs=0.001)
    assert figures["requests"] >= 400
    assert figures["odd_requests"] == 20
    assert figures["series_after"] == figures["series_before"] > 100


def test_an_encoder_costs_what_the_literature_says():
    # BERT-base: 170 MFLOP a token in the weights' products; a 32-token text costs 5.4 GFLOP and a little attention.
    assert SHAPES["bert-base"].flop(texts=1, tokens=32) == pytest.approx(5.47e9, rel=0.01)
    assert SHAPES["bert-base"].flop(texts=4, tokens=32) == 4 * SHAPES["bert-base"].flop(texts=1, tokens=32)


def test_texts_are_the_same_in_every_run_and_none_is_another():
    chosen = sentences()

    assert chosen == sentences()
    assert len({numbered(text, serial) for text in chosen for serial in (1_000_000, 1_000_001)}) == 2 * len(chosen)


def test_memory_growth_is_that_of_the_line_and_not_of_its_last_point():
    flat_with_a_peak = Samples([0, 1, 2, 3, 4], [10, 10, 40, 10, 10])
    rising = Samples([0, 1, 2, 3], [10, 12, 14, 16])

    assert flat_with_a_peak.growth() == pytest.approx(0)
    assert rising.growth() == pytest.approx(6)
    assert rising.between(1, 3) == Samples([1, 2], [12, 14])
    assert Samples([1], [5]).growth() == 0


def test_memory_is_sampled_over_a_whole_process_tree():
    child = "import sys; block = bytearray(b'1' * 60_000_000); print('there', flush=True); sys.stdin.read()"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        with sampled(process.pid, 0.01) as samples:
            assert process.stdout.readline() == b"there\n"
            wait_for(lambda: max(samples.megabytes, default=0) > 57, "the child's memory to be seen")
        process.stdin.close()
