#!/bin/sh
# Play the piano. With a sound card: live at a terminal, else its demo phrase. Without one: the demo phrase, recorded to take.wav.
set -eu
rtwave=.venv/bin/rtwave

if "$rtwave" devices --json | grep -q '"audio": \[\]'; then
    echo "no sound card here: recording the piano's demo phrase to take.wav"
    exec "$rtwave" play --preset piano --demo --record take.wav
elif [ -t 0 ]; then
    exec "$rtwave" play --preset piano
else
    exec "$rtwave" play --preset piano --demo
fi
