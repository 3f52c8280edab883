"""The GPU's kernel: compiled for one network and one kind of GPU, and kept on disk for the next time."""

import hashlib
import os
import re
from pathlib import Path

import platformdirs

from ..errors import RtwaveError

KERNEL = "wavenet.cu"
_DIGEST_BYTES = hashlib.sha256().digest_size


def compile_kernel(defines: dict[str, str], compute_capability: tuple[int, int], source: str = KERNEL) -> bytes:
    """The cubin of a source with these macros, for GPUs of this compute capability (major, minor).

    Seconds of work, unless the user's cache folder has it: under the hash of everything it depends on, behind its own
    hash, so that a damaged file is one that is not there. A folder that cannot be written costs the time alone. Needs
    no GPU. Raises RtwaveError where cuda-core or NVRTC is missing, or the kernel does not compile.
    """
    nvrtc_version = compiler_version()
    architecture = "sm_{}{}".format(*compute_capability)
    folder = source_folder()
    path = cache_folder() / f"{_key(folder, defines, architecture, nvrtc_version, source)}.cubin"
    code = _read(path)
    if code is None:
        code = _compile(folder, defines, architecture, source)
        _write(path, code)
    return code


def compiler_version() -> tuple[int, int]:
    """NVRTC's version (major, minor), which is that of CUDA. Raises RtwaveError where it or cuda-core is missing."""
    try:
        import cuda.core  # noqa: F401
        from cuda.bindings import nvrtc

        _, major, minor = nvrtc.nvrtcVersion()
    except ImportError as error:
        raise RtwaveError(f"cuda-core is not installed ({error}); pip install 'rtwave[cuda]'") from None
    except Exception as error:  # whatever the search for a library ends in
        raise RtwaveError(f"NVRTC cannot be loaded ({_line(error)}); pip install nvidia-cuda-nvrtc") from None
    return major, minor


def source_folder() -> Path:
    """Where the kernel's sources lie: in the installed package, or in the checkout."""
    package = Path(__file__).parents[1]
    installed = package / "_kernels"
    return installed if installed.is_dir() else package.parent / "extensions/cuda"


def cache_folder() -> Path:
    """Where compiled kernels are kept; they may be deleted at any time."""
    return platformdirs.user_cache_path("rtwave") / "kernels"


def _key(folder: Path, defines: dict[str, str], architecture: str, nvrtc_version: tuple[int, int], source: str) -> str:
    digest = hashlib.sha256(repr((sorted(defines.items()), architecture, nvrtc_version, source)).encode())
    for path in sorted([*folder.glob("*.cu"), *folder.glob("*.h")]):
        text = path.read_bytes()
        digest.update(f"{path.name} {len(text)}\n".encode() + text)
    return digest.hexdigest()


def _read(path: Path) -> bytes | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, code = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    return code if hashlib.sha256(code).digest() == digest else None


def _write(path: Path, code: bytes) -> None:
    """Whole or not at all: others may be reading, or writing the same."""
    partial = path.with_suffix(f".{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_bytes(hashlib.sha256(code).digest() + code)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError:
        pass


def _compile(folder: Path, defines: dict[str, str], architecture: str, source: str) -> bytes:
    from cuda.core import Program, ProgramOptions

    options = ProgramOptions(
        name=source,
        arch=architecture,
        std="c++17",
        include_path=str(folder),
        define_macro=list(defines.items()) or None,
    )
    try:
        return bytes(Program((folder / source).read_text(encoding="utf-8"), "c++", options).compile("cubin").code)
    except Exception as error:  # NVRTC's own, or that of a library it needs
        raise RtwaveError(f"the GPU's kernel does not compile for {architecture} ({_line(error)})") from None


def _line(error: Exception) -> str:
    """The first error of a compiler's log, or all that was said, on one line."""
    text = str(error)
    logged = re.search(r"^.*\): (catastrophic )?error: .*$", text, re.MULTILINE)
    return " ".join((logged.group() if logged else text).split())
