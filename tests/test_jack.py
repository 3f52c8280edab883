"""The private JACK server that tests stand on: killed ones leave no trouble, and one that fails says why."""

import os
import shutil
import subprocess
import sys

import pytest

from .jack import NAMES, SHARED_MEMORY, Client, server

REGISTRY_PLACES = 8

needs_jack = pytest.mark.skipif(shutil.which("jackd") is None, reason="jackd is not installed")


@needs_jack
def test_killed_servers_do_not_use_up_the_registry():
    for _ in range(REGISTRY_PLACES + 1):
        with server() as jackd:
            assert jackd.name in NAMES
            jackd.kill()
    with server() as jackd, Client(jackd) as client:
        client.wait_for_frames(1)


@needs_jack
def test_two_servers_at_once_have_names_of_their_own():
    with server() as one, server(44_100) as other:
        assert one.name != other.name


@needs_jack
def test_what_a_killed_server_left_is_removed():
    with server() as jackd:
        jackd.kill()
        left = SHARED_MEMORY / f"jack_sem.0_{jackd.name}_nobody"
        left.touch()
    with server() as again:
        assert again.name == jackd.name
        assert not left.exists()


def test_server_that_does_not_start_shows_what_it_said(tmp_path, monkeypatch):
    for name, script in (
        ("jackd", "echo 'Too many servers already active' >&2; exit 1"),
        ("jack_wait", "echo not running"),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(pytest.fail.Exception, match="does not start:\nToo many servers already active"), server():
        pass


@needs_jack
def test_name_stays_taken_while_an_orphaned_server_lives():
    with server() as jackd:
        code = "import sys; from tests.jack import _free_name\nwith _free_name() as (name, _): print(name)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() != jackd.name
