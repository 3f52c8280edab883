"""A take on disk: exactly the samples that were sent, in a file that is whole at every moment."""

import contextlib
import os
from pathlib import Path

import numpy as np

from ..errors import RtwaveError

_CONTAINERS = {".wav": "RF64", ".flac": "FLAC"}
_SUBTYPES = {"float": "FLOAT", "pcm24": "PCM_24", "pcm16": "PCM_16"}
_BITS = {"pcm24": 24, "pcm16": 16}

RECORD_FORMATS = {".wav": ("float", "pcm24", "pcm16"), ".flac": ("pcm24", "pcm16")}
"""What each kind of file can hold; the first where none is asked for."""

# Commands of libsndfile that soundfile has no name for (sndfile.h).
_SFC_SET_UPDATE_HEADER_AUTO = 0x1061
_SFC_RF64_AUTO_DOWNGRADE = 0x1210

_FLAC_STREAMINFO = slice(8, 42)  # after "fLaC" and the block's own header: RFC 9639, section 8.2


def choose_format(path: Path, record_format: str | None) -> str:
    """`record_format`, or for None the file's own; RtwaveError where the path's suffix does not hold it."""
    known = RECORD_FORMATS.get(path.suffix.lower())
    if known is None:
        raise RtwaveError(f"{path}: cannot record {path.suffix or 'without a suffix'}, expected .wav or .flac")
    if record_format is not None and record_format not in known:
        raise RtwaveError(f"{path}: record format is {record_format!r}, {path.suffix} holds {', '.join(known)}")
    return record_format or known[0]


class Recorder:
    """Writes mono or interleaved float32 to `path`, a .wav or .flac.

    `record_format`: "float", sample for sample, "pcm24" or "pcm16", rounded to so many bits; None: the first that
    RECORD_FORMATS has for the suffix. RtwaveError where the suffix or the format in it is unknown.

    The header is kept current, so that a process killed by force leaves a file that opens (FLAC: up to its last whole
    block of 4096 frames). A WAV beyond 4 GB becomes RF64. A path that cannot be written and a full disk do not raise:
    `problem` holds one line, further samples are ignored, and what was written stays whole. One thread at a time.
    """

    def __init__(self, path: str | Path, sample_rate: int, channels: int = 1, record_format: str | None = None) -> None:
        import soundfile

        self.path = Path(path)
        self.sample_rate = sample_rate
        self.frames = 0
        self.problem: str | None = None
        self._file: soundfile.SoundFile | None = None
        suffix = self.path.suffix.lower()
        chosen = choose_format(self.path, record_format)
        self._bits = _BITS.get(chosen)
        self._flac = suffix == ".flac"
        try:
            self.path.open("wb").close()  # its errors say more than libsndfile's
            self._file = soundfile.SoundFile(
                self.path, "w", sample_rate, channels, format=_CONTAINERS[suffix], subtype=_SUBTYPES[chosen]
            )
        except (OSError, soundfile.SoundFileError) as error:
            self._give_up(error)
            return
        if not self._flac:
            for command in (_SFC_RF64_AUTO_DOWNGRADE, _SFC_SET_UPDATE_HEADER_AUTO):
                soundfile._snd.sf_command(self._file._file, command, soundfile._ffi.NULL, 1)

    def write(self, samples: np.ndarray) -> None:
        """Append `samples`, float32 (n,) or (n, channels), within −1..1."""
        import soundfile

        if self._file is None or not len(samples):
            return
        try:
            self._file.write(_rounded(samples, self._bits) if self._bits else samples)
            self.frames += len(samples)
            if self._flac:
                self._note_flac_length()
        except (OSError, soundfile.SoundFileError, AssertionError) as error:  # the assertion: a short write
            self._give_up(error)

    def close(self) -> None:
        """Finish the file; more than once does no harm."""
        import soundfile

        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except (OSError, soundfile.SoundFileError) as error:
                self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        reason = getattr(error, "strerror", None) or "could not be written; is the disk full?"
        whole = self.frames and os.path.exists(self.path)
        kept = f"{self.frames / self.sample_rate:.1f} s are kept" if whole else "nothing is recorded"
        self.problem = f"{self.path}: {reason}; {kept}, the music goes on"
        opened = self._file is not None
        self.close()
        if opened and self._flac:
            with contextlib.suppress(OSError):  # the file itself may be what is missing
                self._note_flac_length(failed=True)

    def _note_flac_length(self, failed: bool = False) -> None:
        """Write into STREAMINFO how many samples stand in whole blocks: libFLAC itself does so only at the end.

        Its encoder sends a block once it has one sample more. After a failure its checksum counts samples that never
        reached the disk: zero, "unknown", is right then.
        """
        with self.path.open("r+b") as file:
            header = bytearray(file.read(_FLAC_STREAMINFO.stop))
            info = header[_FLAC_STREAMINFO]
            if len(info) < 34:
                return
            block = int.from_bytes(info[0:2], "big")
            total = max(self.frames - 1, 0) // block * block
            packed = int.from_bytes(info[10:18], "big") >> 36 << 36 | total
            info[10:18] = packed.to_bytes(8, "big")
            if failed:
                info[18:34] = bytes(16)
            file.seek(_FLAC_STREAMINFO.start)
            file.write(info)


def _rounded(samples: np.ndarray, bits: int) -> np.ndarray:
    """The nearest of 2**bits steps, in the upper bits of int32: libsndfile's own conversion turns the level down."""
    half = 2 ** (bits - 1)
    steps = np.clip(np.rint(np.multiply(samples, half, dtype=np.float64)), -half, half - 1)
    return steps.astype(np.int32) << (32 - bits)
