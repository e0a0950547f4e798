"""How each system is kept to an instruction set, as on a processor that has no more than that."""

from __future__ import annotations

# By system and by fastnn's name of the instruction set: variables of the process.
CAPS: dict[str, dict[str, dict[str, str]]] = {
    "fastnn": {
        "avx512": {"FASTNN_ISA": "avx512"},
        "avx2": {"FASTNN_ISA": "avx2"},
        "portable": {"FASTNN_ISA": "portable"},
    },
    "torch": {
        "avx512": {
            "ATEN_CPU_CAPABILITY": "avx512",
            "MKL_ENABLE_INSTRUCTIONS": "AVX512",
            "ONEDNN_MAX_CPU_ISA": "AVX512_CORE",
        },
        "avx2": {
            "ATEN_CPU_CAPABILITY": "avx2",
            "MKL_ENABLE_INSTRUCTIONS": "AVX2",
            "ONEDNN_MAX_CPU_ISA": "AVX2",
        },
        "portable": {
            "ATEN_CPU_CAPABILITY": "default",
            "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
            "ONEDNN_MAX_CPU_ISA": "SSE41",
        },
    },
    "jax": {
        "avx512": {"XLA_FLAGS": "--xla_cpu_max_isa=AVX512"},
        "avx2": {"XLA_FLAGS": "--xla_cpu_max_isa=AVX2"},
        "portable": {"XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2"},
    },
    "tensorflow": {
        "avx512": {"XLA_FLAGS": "--xla_cpu_max_isa=AVX512", "ONEDNN_MAX_CPU_ISA": "AVX512_CORE"},
        "avx2": {"XLA_FLAGS": "--xla_cpu_max_isa=AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
        "portable": {"XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2", "ONEDNN_MAX_CPU_ISA": "SSE41"},
    },
    "scikit-learn": {
        "avx512": {"OPENBLAS_CORETYPE": "SkylakeX"},
        "avx2": {"OPENBLAS_CORETYPE": "Haswell", "NPY_DISABLE_CPU_FEATURES": "X86_V4"},
        "portable": {"OPENBLAS_CORETYPE": "Nehalem", "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4"},
    },
}


def cap(system: str, isa: str | None) -> dict[str, str]:
    """Return the variables that keep the system to the instruction set; ``None`` leaves it as it is."""
    return CAPS[system][isa] if isa else {}
