from pathlib import Path

import pytest

from finbert_api.inference.processor import processor_flags, saturates_int8_products


def test_flags_are_those_of_the_first_processor(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nflags\t\t: fpu avx2 avx512_vnni\nprocessor\t: 1\nflags\t\t: fpu\n")
    assert processor_flags(cpuinfo) == {"fpu", "avx2", "avx512_vnni"}


def test_where_nothing_tells_the_flags_there_are_none(tmp_path):
    assert processor_flags(tmp_path / "missing") == frozenset()
    (tmp_path / "cpuinfo").write_text("processor\t: 0\n")
    assert processor_flags(tmp_path / "cpuinfo") == frozenset()


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="Linux tells the flags there")
def test_this_processor_has_flags():
    assert processor_flags()


@pytest.mark.parametrize(
    ("flags", "machine", "saturates"),
    [
        ({"avx2", "avx512f", "avx512bw"}, "x86_64", True),
        ({"avx2", "avx512f", "avx512_vnni"}, "x86_64", False),
        ({"avx2", "avx_vnni"}, "AMD64", False),
        (set(), "x86_64", True),
        ({"asimd", "asimddp"}, "aarch64", False),
    ],
)
def test_only_x86_without_vnni_saturates(flags, machine, saturates):
    assert saturates_int8_products(frozenset(flags), machine) is saturates
