"""Programs in C built with GCC's or Clang's thread sanitizer, and run."""

import shutil
import subprocess
from pathlib import Path

import pytest

EXTENSIONS = Path(__file__).parents[1] / "extensions"


def run_under_thread_sanitizer(
    folder: Path, sources: list[Path], *flags: str, arguments: list[str] | None = None
) -> subprocess.CompletedProcess:
    """Build `sources` in `folder`, run the program and return its end; skips the test where that cannot be done."""
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no gcc or clang here")
    program, empty = folder / "program", folder / "empty.c"
    options = ["-std=c11", "-O1", "-g", "-fsanitize=thread", "-I", EXTENSIONS, *flags, "-o", program]
    empty.write_text("int main(void) { return 0; }\n")
    if subprocess.run([compiler, empty, *options], capture_output=True).returncode:
        pytest.skip("no thread sanitizer here")
    built = subprocess.run([compiler, *sources, *options, "-lpthread", "-lm"], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    result = subprocess.run([program, *(arguments or [])], capture_output=True, text=True, timeout=60)
    if "unexpected memory mapping" in result.stderr:
        pytest.skip("the thread sanitizer does not run under this kernel's address layout")
    return result
