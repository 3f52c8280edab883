import shutil

import numpy as np
import pytest
import soundfile

pytest.importorskip("soxr")

from rtwave.errors import RtwaveError
from rtwave.training.gather import Request, gather

from .soundfonts import write_soundfont


def touch(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        soundfile.write(folder / name, np.zeros(10), 8000)
    return folder


def test_one_folder_is_one_instrument(tmp_path):
    found = gather(Request([touch(tmp_path / "bell", "C4_v90.wav", "D4_v90.wav")]))
    assert [(item.name, item.note, item.timbre) for item in found.recordings] == [
        ("C4_v90.wav", 60, 0.0),
        ("D4_v90.wav", 62, 0.0),
    ]
    assert (found.kind, found.timbres, found.damper_s) == ("notes", ["bell"], None)


def test_several_instruments_are_timbres_in_their_order_named_by_folder_or_file(tmp_path):
    flute, piano = touch(tmp_path / "flute", "C4.wav", "noise.wav"), touch(tmp_path / "piano", "C4.wav")
    (tmp_path / "harp.sfz").write_text("<region> sample=piano/C4.wav key=48 ampeg_release=0.9 pan=3")
    found = gather(Request([piano, flute, tmp_path / "harp.sfz"]))
    assert found.timbres == ["piano", "flute", "harp"]
    assert [(item.name, item.note, item.timbre) for item in found.recordings] == [
        ("piano/C4.wav", 60, 0.0),
        ("flute/C4.wav", 60, 1.0),
        ("harp/piano/C4.wav", 48, 2.0),
    ]
    assert found.damper_s == pytest.approx(0.1)
    assert [item.path.name for item in found.skipped] == ["noise.wav"]
    assert len(found.warnings) == 1


def test_more_than_sixteen_instruments_are_refused(tmp_path):
    folders = [touch(tmp_path / str(n), "C4.wav") for n in range(17)]
    with pytest.raises(RtwaveError, match="17 instruments, at most 16 make a morph"):
        gather(Request(folders))


def test_drums_are_labelled_by_a_plain_number_or_a_note_and_called_by_what_remains(tmp_path):
    kit = touch(tmp_path / "kit", "kick_36_v100.wav", "kick_36_v40.wav", "D2 Snare vel90.wav", "42.wav", "hum.wav")
    found = gather(Request([kit], kind="drums"))
    assert found.kind == "drums"
    assert found.timbres == ["kick", "Snare", "42"]
    assert sorted((item.note, item.velocity, item.timbre) for item in found.recordings) == [
        (36, 40, 0.0),
        (36, 100, 0.0),
        (38, 90, 1.0),
        (42, 100, 2.0),
    ]
    assert [item.path.name for item in found.skipped] == ["hum.wav"]


def test_a_manifest_labels_drums_too(tmp_path):
    kit = touch(tmp_path / "kit", "boom.wav", "tick.wav")
    (kit / "manifest.csv").write_text("file,note,velocity\ntick.wav,42,80\nboom.wav,36,100\n")
    found = gather(Request([kit], kind="drums"))
    assert found.timbres == ["boom", "tick"]
    assert [(item.note, item.timbre) for item in found.recordings] == [(36, 0.0), (42, 1.0)]


def test_of_many_drums_some_are_chosen(tmp_path):
    kit = touch(tmp_path / "kit", *(f"hit_{key}.wav" for key in range(30, 60)))
    with pytest.raises(RtwaveError, match="30 drums, at most 16; choose with --keys 36,38,42"):
        gather(Request([kit], kind="drums"))
    found = gather(Request([kit], kind="drums", keys=[36, 38]))
    assert [(item.note, item.timbre) for item in found.recordings] == [(36, 0.0), (38, 1.0)]
    with pytest.raises(RtwaveError, match="no recording at any of these --keys"):
        gather(Request([kit], kind="drums", keys=[90]))


def test_a_single_recording_is_told_what_it_could_be(tmp_path):
    touch(tmp_path, "C4.wav")
    with pytest.raises(
        RtwaveError, match=r"C4\.wav: a recording, expected a folder of labelled ones; .* --kind unlabelled"
    ):
        gather(Request([tmp_path / "C4.wav"]))


@pytest.mark.skipif(shutil.which("fluidsynth") is None, reason="fluidsynth is not installed")
@pytest.mark.parametrize("asked", [{"bank": 128}, {"kind": "drums"}])
def test_bank_128_is_drums_whichever_way_it_is_asked_for(tmp_path, asked):
    soundfont = write_soundfont(tmp_path / "kit.sf2")
    found = gather(Request([], soundfont=soundfont, velocities=[90], seconds=0.5, **asked))
    assert (found.kind, found.timbres) == ("drums", ["kick", "snare"])


def test_a_texture_is_cut_into_pieces(tmp_path):
    noise = 0.1 * np.random.default_rng(0).standard_normal(8000 * 40)
    soundfile.write(tmp_path / "rain.wav", noise, 8000)
    found = gather(Request([tmp_path / "rain.wav"], kind="texture"))
    assert (found.kind, found.timbres, len(found.recordings)) == ("texture", ["rain"], 3)
