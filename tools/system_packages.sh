#!/bin/sh
# Install the Debian packages that the named needs (build, portaudio, jack, fluidsynth) lack; where that may not be, say in one line what to do.
set -eu

missing=""
for need in "$@"; do
    case $need in
        build)
            command -v cc >/dev/null || missing="$missing gcc libc6-dev"
            python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
            header=$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h
            [ -e "$header" ] || missing="$missing python3-dev"
            ;;
        portaudio)
            python3 -c 'import ctypes.util, sys; sys.exit(not ctypes.util.find_library("portaudio"))' \
                || missing="$missing libportaudio2"
            ;;
        jack)
            command -v jackd >/dev/null || missing="$missing jackd2"
            ;;
        fluidsynth)
            command -v fluidsynth >/dev/null || missing="$missing fluidsynth"
            ;;
    esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "rtwave: missing on this system:$missing; install with: sudo apt-get install$missing" >&2
    case $missing in *gcc* | *venv* | *python3-dev*) exit 1 ;; esac
fi
