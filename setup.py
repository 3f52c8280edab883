"""Builds rtwave._engine and rtwave._stream: Cython over C11, the kernels once per instruction set."""

import sys
import sysconfig
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

HERE = "extensions"
COMMON_FLAGS = ["-std=c11", "-O3", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast", "-fvisibility=hidden"]
X86_FLAGS = {
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma"],
}
KERNELS = ("portable", "avx2", "avx512", "neon")
"""Every kernel file is always compiled; one that is not for the target's processor comes out empty."""


def kernel_flags(name: str) -> list[str]:
    """Flags of one kernel file, for the processors that have them."""
    platform = sysconfig.get_platform()
    flags = X86_FLAGS.get(name, [])
    if platform.startswith("macosx"):  # one object may hold two processors' code there
        return [word for flag in flags for word in ("-Xarch_x86_64", flag)]
    return flags if platform.endswith(("x86_64", "amd64")) else []


class BuildExtension(build_ext):
    """build_ext that compiles each kernel file with flags of its own."""

    def build_extensions(self) -> None:
        if self.compiler.compiler_type == "msvc":
            raise SystemExit("rtwave: built with GCC or Clang only (vector extensions); on Windows use clang or MinGW")
        super().build_extensions()

    def build_extension(self, extension: Extension) -> None:
        if extension.name == "rtwave._engine":
            extension.extra_objects = [path for name in KERNELS for path in self.build_kernel(name)]
        super().build_extension(extension)

    def build_kernel(self, name: str) -> list[str]:
        return self.compiler.compile(
            [f"{HERE}/kernels/{name}.c"],
            output_dir=self.build_temp,
            include_dirs=[HERE],
            extra_postargs=COMMON_FLAGS + kernel_flags(name),
            depends=[str(path) for path in Path(HERE).glob("**/*.h")],
        )


def extension(name: str, *sources: str) -> Extension:
    return Extension(
        f"rtwave.{name}",
        [f"{HERE}/{name}.pyx", *(f"{HERE}/{source}" for source in sources)],
        include_dirs=[HERE],
        depends=[str(path) for pattern in ("*.pyx", "**/*.h", "kernels/*.c") for path in Path(HERE).glob(pattern)],
        extra_compile_args=COMMON_FLAGS,
        libraries=[] if sys.platform == "win32" else ["m"],
    )


class BuildPackage(build_py):
    """build_py that takes the presets along, as rtwave/_presets; a checkout is played from presets/ itself."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            self.copy_tree("presets", f"{self.build_lib}/rtwave/_presets")


setup(
    ext_modules=cythonize(
        [
            extension("_engine", "engine.c", "ensemble.c", "workers.c", "voice.c", "wavenet.c", "kernels/kernels.c"),
            extension("_stream", "stream.c", "resampler.c"),
        ],
        language_level=3,
        compiler_directives={"boundscheck": False, "wraparound": False, "embedsignature": True},
    ),
    cmdclass={"build_ext": BuildExtension, "build_py": BuildPackage},
)
