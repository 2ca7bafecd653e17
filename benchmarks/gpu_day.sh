#!/usr/bin/env bash
# What no GPU has told yet, on the day one is there, as one table, in less than 25 minutes.
#
#   benchmarks/gpu_day.sh FOLDER [small]
#
# FOLDER holds faces in CelebA's layout. Each part has a limit and goes on without those before it; what it printed, and what it
# made, lies in $OUT (a new folder unless set). "small" and DEVICE=cpu show on any machine that every part runs.
set -uo pipefail
cd "$(dirname "$0")/.."

folder=$(realpath "${1:?a folder of faces in CelebA\'s layout}")
size=${2:-full}
device=${DEVICE:-cuda}
out=${OUT:-$(mktemp -d)}
export FAIRSAL_HOME="$out/workspace"
mkdir -p "$FAIRSAL_HOME"
rows=()

# part TITLE SECONDS COMMAND...: run it for so long at most, and note how long it took or that it did not end well.
part() {
  local title=$1 limit=$2 log="$out/${#rows[@]}.log" how
  shift 2
  echo "$title: $log" >&2
  SECONDS=0
  timeout --signal INT --kill-after 20 "$limit" "$@" >"$log" 2>&1
  case $? in 0) how=done ;; 124 | 137) how="not within $limit s" ;; *) how="failed: $(tail -n 1 "$log")" ;; esac
  rows+=("| $title | $SECONDS | $how |")
}

fairsal=(python -m fairsal_core)

if [[ $size == small ]]; then
  costs=(--faces 64 --repeats 1) seeds=(--images 64 --seeds 2 --batch 16)
  atlas=(--images 64 --epochs 1 --validation-images 32) mapped=20
  table=(--preset table1_blond --counts 0,12,8,4 --epochs 1 --test-per-cell 4 --seeds 0 1)
  paper=(--counts 8,8,8,8 --epochs 1 --test-per-cell 4 --explained-faces 4 --weights random) vit=(--faces 2 --network vit_tiny_patch16_224)
  net=vit_tiny_patch16_224 audited=(--test-per-cell 4 --explained-faces 4)
else
  costs=(--faces 4096) seeds=(--images 4096 --seeds 5)
  atlas=() mapped=0
  table=(--preset table1)
  paper=(--weights random) vit=(--faces 64)
  net=vit_base_patch16_224 audited=(--explained-faces 64)
fi

# Random weights: what is measured is time.
net_folder="$out/net"
make_net="import timm, json, pathlib, safetensors.torch as s; f = pathlib.Path('$net_folder'); f.mkdir()
n = timm.create_model('$net', num_classes=2); s.save_file(n.state_dict(), f / 'model.safetensors')
(f / 'config.json').write_text(json.dumps({'architecture': '$net', 'num_classes': 2}))"

part "costs of a face, both region networks" 150 python -m benchmarks.costs --data "$folder" --device "$device" "${costs[@]}"
part "seeds at once" 110 python -m benchmarks.training "${seeds[@]}"
part "atlas: training, all attributes" 240 "${fairsal[@]}" train-regions --data "$folder" --attribute all --device "$device" --out "$out/atlas" "${atlas[@]}"
part "atlas: mean map of the test split" 60 "${fairsal[@]}" attribute --data "$folder" --attribute Smiling --regions "$out/atlas/atlas" --sample "$mapped" --device "$device" --out "$out/smiling.npy"
part "Table 1" 430 "${fairsal[@]}" sweep "${table[@]}" --data "$folder" --device "$device" --json
part "resnet50 of the second paper" 210 "${fairsal[@]}" run --preset smiling_necktie --data "$folder" --device "$device" --seeds 0 "${paper[@]}"
part "LRP of a ViT" 60 python -m benchmarks.lrp_graph --device "$device" "${vit[@]}"
part "audit of a ViT: weights" 30 python -c "$make_net"
part "audit of a ViT: import" 50 "${fairsal[@]}" import-classifier "$net_folder" --set name=vit positive=1
part "audit of a ViT" 140 "${fairsal[@]}" audit --data "$folder" --target Smiling --protected Male --subjects vit --explainers lrp_graph --device "$device" "${audited[@]}"

echo "$(python -c 'import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU")'), $size, $out"
echo
echo "| part | s | |"
echo "|---|---|---|"
printf '%s\n' "${rows[@]}"
