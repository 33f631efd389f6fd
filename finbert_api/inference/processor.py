"""What this host's processor can do, as far as the choice of a graph depends on it."""

import platform
import re
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
VNNI_FLAGS = frozenset({"avx512_vnni", "avx_vnni"})
X86_MACHINES = frozenset({"x86_64", "amd64", "i686"})


def processor_flags(cpuinfo: Path = CPUINFO) -> frozenset[str]:
    """The instruction sets of the first processor as Linux names them; empty where it says none (not Linux, no x86)."""
    try:
        found = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return frozenset()
    return frozenset(found.group(1).split()) if found else frozenset()


def saturates_int8_products(flags: frozenset[str], machine: str = platform.machine()) -> bool:
    """Whether sums of products of uint8 with 8-bit weights can overflow 16 bits here, so that weights need 7 bits.

    So on x86 without VNNI, whose vpmaddubsw adds two products in 16 bits with saturation (Intel's intrinsics guide,
    _mm256_maddubs_epi16). Where the flags are not known 7 bits are the safe answer.
    """
    return machine.lower() in X86_MACHINES and not flags & VNNI_FLAGS
