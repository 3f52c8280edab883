"""Builds the native modules: Cython over C11, the kernels once per instruction set."""

import os
import sys
import sysconfig
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

HERE = "extensions"
COMMON_FLAGS = ["-std=c11", "-O3", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast", "-fvisibility=hidden"]
SANITIZERS = os.environ.get("RTWAVE_SANITIZERS", "")
"""What `make sanitize` builds with: address,undefined."""

if SANITIZERS:
    COMMON_FLAGS += ["-O1", "-g", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all", f"-fsanitize={SANITIZERS}"]
AVX2_FLAGS = ["-mavx2", "-mfma"]
AVX512_FLAGS = ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma"]
X86_FLAGS = {
    "avx2": AVX2_FLAGS,
    "avx2_vnni": [*AVX2_FLAGS, "-mavxvnni"],
    "avx512": AVX512_FLAGS,
    "avx512_vnni": [*AVX512_FLAGS, "-mavx512vnni"],
    "avx512_amx": [*AVX512_FLAGS, "-mavx512vnni", "-mamx-tile", "-mamx-int8"],
}
ARM_FLAGS = {"neon_dotprod": ["-march=armv8.2-a+dotprod"]}
ENGINE = (
    "engine",
    "ensemble",
    "ensemble_device",
    "workers",
    "voice",
    "period",
    "partials",
    "wavenet",
    "state",
    "matrix",
    "kernels/kernels",
    "resampler",
    "rack",
)
LEARNING_FLAGS = {
    "avx2": AVX2_FLAGS,
    "avx512": AVX512_FLAGS,
    "avx512_amx": [*AVX512_FLAGS, "-mavx512bf16", "-mamx-tile", "-mamx-bf16"],
}
KERNELS = ("portable", *X86_FLAGS, "neon", *ARM_FLAGS)
"""Every kernel file is always compiled; one that is not for the target's processor comes out empty."""


def kernel_flags(name: str, x86_flags: dict[str, list[str]]) -> list[str]:
    """Flags of one kernel file, for the processors that have them."""
    platform = sysconfig.get_platform()
    if platform.startswith("macosx"):  # one object may hold two processors' code there
        sides = (("-Xarch_x86_64", x86_flags), ("-Xarch_arm64", ARM_FLAGS))
        return [word for side, flags in sides for flag in flags.get(name, []) for word in (side, flag)]
    flags = x86_flags if platform.endswith(("x86_64", "amd64")) else ARM_FLAGS
    return flags.get(name, []) if platform.endswith(("x86_64", "amd64", "aarch64", "arm64")) else []


class BuildExtension(build_ext):
    """build_ext that compiles each kernel file with flags of its own."""

    def build_extensions(self) -> None:
        if self.compiler.compiler_type == "msvc":
            raise SystemExit("rtwave: built with GCC or Clang only (vector extensions); on Windows use clang or MinGW")
        super().build_extensions()

    def build_extension(self, extension: Extension) -> None:
        if extension.name == "rtwave._engine":
            extension.extra_objects = self.build_kernels("kernels", KERNELS, X86_FLAGS)
        if extension.name == "rtwave._stack":
            extension.extra_objects = self.build_kernels("learning", ("portable", *LEARNING_FLAGS), LEARNING_FLAGS)
        super().build_extension(extension)

    def build_kernels(self, folder: str, names: tuple[str, ...], x86_flags: dict[str, list[str]]) -> list[str]:
        return [
            path for name in names for path in self.build_kernel(f"{folder}/{name}.c", kernel_flags(name, x86_flags))
        ]

    def build_kernel(self, source: str, flags: list[str]) -> list[str]:
        return self.compiler.compile(
            [f"{HERE}/{source}"],
            output_dir=self.build_temp,
            include_dirs=[HERE],
            extra_postargs=COMMON_FLAGS + flags,
            depends=[str(path) for path in Path(HERE).glob("**/*.h")],
        )


def extension(name: str, *sources: str) -> Extension:
    return Extension(
        f"rtwave.{name}",
        [f"{HERE}/{name}.pyx", *(f"{HERE}/{source}" for source in sources)],
        include_dirs=[HERE],
        depends=[
            str(path)
            for pattern in ("*.px[yi]", "**/*.h", "kernels/*.c", "learning/*.c")
            for path in Path(HERE).glob(pattern)
        ],
        extra_compile_args=COMMON_FLAGS,
        extra_link_args=[f"-fsanitize={SANITIZERS}"] if SANITIZERS else [],
        libraries={"win32": [], "linux": ["m", "dl"]}.get(sys.platform, ["m"]),
    )


class BuildPackage(build_py):
    """build_py that takes along what a checkout is played from itself: presets, and what is compiled for a GPU."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            self.copy_tree("presets", f"{self.build_lib}/rtwave/_presets")
            kernels = Path(self.build_lib, "rtwave/_kernels")
            kernels.mkdir(exist_ok=True)
            for source in [*Path(HERE, "cuda").glob("*.cu"), *Path(HERE, "cuda").glob("*.h")]:
                self.copy_file(str(source), str(kernels / source.name))


setup(
    ext_modules=cythonize(
        [
            extension("_engine", *(f"{name}.c" for name in ENGINE)),
            extension("_stack", "learning/stack.c", "learning/learners.c", "workers.c"),
            extension("_stream", "stream.c", "governor.c", "resampler.c"),
            extension("_outlet", "outlet.c", "overrun.c"),
            extension("_segments", "learning/segments.c"),
            extension("_cuda", "cuda/gpu.c", "cuda/launch.c", "cuda/driver.c"),
            *([extension("_jack_midi", "jack_midi.c")] if sys.platform == "linux" else []),
        ],
        language_level=3,
        compiler_directives={"boundscheck": False, "wraparound": False, "embedsignature": True},
    ),
    cmdclass={"build_ext": BuildExtension, "build_py": BuildPackage},
)
