#!/usr/bin/env bash
# From nothing to a recognizer: installs, synthesizes speech, trains on it, exports, and transcribes voices that the
# model never heard. A few minutes on two cores; run again, it goes on where it stopped.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh
prepare_environment requirements.txt
python=.venv/bin/python

echo "1/4 training on synthesized commands"
$python scripts/train.py configs/quickstart.yaml
echo "2/4 exporting the model"
$python scripts/export.py runs/quickstart exported/quickstart
echo "3/4 writing commands by voices that it never heard"
$python scripts/save_split.py configs/quickstart.yaml test runs/quickstart/speech
echo "4/4 what was said is in the file's name, what was heard follows it"
(cd runs/quickstart/speech && ls -- *.flac) | sed -n '1~16p' | sed 's|^|runs/quickstart/speech/|' |
    xargs $python scripts/transcribe.py --model exported/quickstart
$python scripts/evaluate.py --model exported/quickstart runs/quickstart/speech/manifest.jsonl
echo "next: $python scripts/transcribe.py --model exported/quickstart YOUR.wav"
echo "      $python -m tensorboard.main --logdir runs"
