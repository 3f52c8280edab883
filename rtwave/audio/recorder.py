"""A take on disk: exactly the samples that were sent, in a file that is whole at every moment."""

import contextlib
import os
from pathlib import Path

import numpy as np

from ..errors import RtwaveError

_FORMATS = {
    ".wav": {"format": "RF64", "subtype": "FLOAT"},
    ".flac": {"format": "FLAC", "subtype": "PCM_24"},
}

# Commands of libsndfile that soundfile has no name for (sndfile.h).
_SFC_SET_UPDATE_HEADER_AUTO = 0x1061
_SFC_RF64_AUTO_DOWNGRADE = 0x1210

_FLAC_STREAMINFO = slice(8, 42)  # after "fLaC" and the block's own header: RFC 9639, section 8.2


class Recorder:
    """Writes mono or interleaved float32 to `path`: .wav as 32-bit float, sample for sample; .flac rounded to 24 bits.

    The header is kept current, so that a process killed by force leaves a file that opens (FLAC: up to its last whole
    block of 4096 frames). A WAV beyond 4 GB becomes RF64. A path that cannot be written and a full disk do not raise:
    `problem` holds one line, further samples are ignored, and what was written stays whole. One thread at a time.
    """

    def __init__(self, path: str | Path, sample_rate: int, channels: int = 1) -> None:
        import soundfile

        self.path = Path(path)
        self.sample_rate = sample_rate
        self.frames = 0
        self.problem: str | None = None
        self._file: soundfile.SoundFile | None = None
        kind = _FORMATS.get(self.path.suffix.lower())
        if kind is None:
            raise RtwaveError(f"{path}: cannot record {self.path.suffix or 'without a suffix'}, expected .wav or .flac")
        self._flac = kind["format"] == "FLAC"
        try:
            self.path.open("wb").close()  # its errors say more than libsndfile's
            self._file = soundfile.SoundFile(self.path, "w", sample_rate, channels, **kind)
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
            self._file.write(samples)
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
