import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile

pytest.importorskip("soxr")

from rtwave.errors import RtwaveError
from rtwave.training.corpus import Corpus
from rtwave.training.prepare import prepare
from rtwave.training.report import write
from rtwave.training.soundness import judge
from rtwave.training.sources import Found, Recording, Skipped
from rtwave.training.unlabelled import LABELS, find_notes, write_labels

from ..conftest import pluck
from .melodies import melody, sing

RATE = 16_000


def recorded(name, note, velocity=100, timbre=0.0, seconds=2.0):
    samples = pluck(int(note), int(velocity), seconds, RATE)
    return Recording(name, "", float(note), float(velocity), lambda: (samples, RATE), timbre=timbre)


def page_of(folder, recordings, skipped=(), timbres=(), **options):
    prepare(Found(list(recordings), list(skipped), list(timbres)), folder, partials=6, **options)
    return page_in(folder)


def page_in(folder):
    corpus, warnings, fault = Corpus(folder), [], None
    try:
        warnings = judge(corpus)
    except RtwaveError as error:
        fault = str(error)
    return checked(write(corpus, warnings, fault).read_text(encoding="utf-8"))


class _Balanced(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attributes):
        assert not {"src", "href"} & {name for name, _ in attributes}, "the page needs nothing from outside"
        if tag not in ("meta", "link"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def checked(page):
    """The page, if it is whole, self-contained, and each picture well-formed without a NaN."""
    parser = _Balanced()
    parser.feed(page)
    assert parser.open == []
    assert "url(" not in page
    assert "@import" not in page
    for picture in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ElementTree.fromstring(picture)
        assert "nan" not in re.sub(r"<title>.*?</title>", "", picture)
    return page


def sections(page):
    return re.findall(r"<h2>(.*?)</h2>", page)


def test_the_page_of_labelled_notes_shows_every_recording_and_what_was_left_out(tmp_path):
    recordings = [
        recorded(f"{note}_v{velocity}", note, velocity) for note in range(48, 72, 3) for velocity in (40, 110)
    ]
    skipped = [Skipped("a.wav", "too short (0.20 s)"), Skipped("b.wav", "too short (0.10 s)"), Skipped("c", "silent")]
    page = page_of(tmp_path, recordings, skipped)
    assert sections(page)[1:] == [
        "Keys and velocities", "Levels", "Onsets", "Tuning", "Stiffness", "Phases trusted", "Left out",
    ]  # fmt: skip
    titles = re.findall(r"<title>(.*?)</title>", page)
    for recording in recordings:
        assert sum(title.startswith(f"{recording.name}: ") for title in titles) == 2, "in two pictures"
    assert sum("held out" in title for title in titles) == 2
    assert "2 × too short (0.20 s)" in page
    assert all(place in page for place in ("a.wav", "b.wav", "silent"))


def test_names_that_look_like_html_do_no_harm(tmp_path):
    recordings = [recorded(f"<script>&{note}", note) for note in (60, 64, 67)]
    page = page_of(tmp_path, recordings, [Skipped("<img>", "<b>silent")])
    assert "<script>" not in page
    assert "<img>" not in page


def test_what_cannot_work_is_said_first_and_in_red(tmp_path):
    page = page_of(tmp_path, [recorded("a", 60, seconds=4.0), recorded("b", 62, seconds=4.0)])
    assert sections(page)[0] == "This cannot work yet"
    assert "2 different notes (C4 and D4)" in page


def test_drums_timbres_and_textures_have_pages_of_their_own(tmp_path):
    drums = [recorded(f"drum{key}", key) for key in (36, 38, 40, 60)]
    assert "Tuning" not in sections(page_of(tmp_path / "drums", drums, kind="drums", timbres=["a", "b", "c", "d"]))
    morph = [recorded(f"{t}_{key}", key, timbre=t) for t in (0.0, 1.0) for key in (48, 55, 60)]
    page = page_of(tmp_path / "morph", morph, timbres=["flute & reed", "harp"])
    assert "flute &amp; reed" in page
    noise = 0.1 * np.random.default_rng(0).standard_normal(20 * RATE).astype(np.float32)
    rain = Recording("rain", "", 60.0, 100.0, lambda: (noise, RATE))
    page = page_of(tmp_path / "texture", [rain], kind="texture", timbres=["rain"])
    assert sections(page)[1:] == ["rain", "Left out"]


def test_notes_found_without_labels_are_drawn_over_time(tmp_path):
    played = melody(2, 20, 55, 79)
    soundfile.write(tmp_path / "flute.wav", sing(played, 22_050, partials=[1.0, 0.4]), 22_050, subtype="FLOAT")
    notes, skipped = find_notes([tmp_path / "flute.wav"])
    out = tmp_path / "corpus"
    prepare(Found(notes, [*skipped, Skipped(f"{tmp_path / 'flute.wav'} at 0:01.00 to 0:01.20", "doubtful")]), out)
    write_labels(out / LABELS, notes)
    page = page_in(out)
    assert sections(page)[1] == "Notes found"
    drawn = re.findall(r'class="(?:note|unsure)"><title>', page)
    assert len(notes) <= len(drawn) <= len(notes) + 2, "one that crosses rows is in both"
    assert "left out, 0:01.00 to 0:01.20: doubtful" in page
    with (out / LABELS).open("a") as file:  # what a slip of the hand may leave there
        file.writelines(f"flute.wav,{times},0,100,1.0\n" for times in ("0,inf,60", "nan,1,60", "0,1e15,60", "0,1,nan"))
    assert re.findall(r'class="(?:note|unsure)"><title>', page_in(out)) == drawn
