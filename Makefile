# make demo: install and run the demonstration.   make test: the whole suite.
# make check: lint and types.      make test-arm: every bundle on emulated Arm cores (Debian 12).
# make test-apps: the hosts in C, Kotlin, Swift and TypeScript, and the companion app; needs gcc,
# Node 20, Java 17, and Debian's chromium and libjna-java.
# make app: build the companion app into examples/companion_web/dist.
# make counts: count what the bundles execute on Arm cores anew, and rewrite the committed counts.
# make latencies: what these counts come to in milliseconds, modelled.
# make bundle, make day-bundle, make fusion-bundle: train and pack wrist-himae, day-lsm2,
# body-fusion anew; make bundle CONFIG=wrist-himae-small the other one.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= ../shared/data/stress_predict_e4
DAYS ?= ../shared/data/fitbit_furberg2016
OUT ?= out
CONFIG ?= wrist-himae
MADE = $(OUT)/$(CONFIG)
FUSION ?= ../shared/data/umafall/umafall_20hz.npz
TROIKA ?= ../shared/data/troika_ieee_spc2015/troika.npz
# Appended to the card: `make bundle` measures what happens while running, `make notes` the rest.
RUNNING = benchmarks/results/troika/$(CONFIG).md
NOTES_wrist-himae := $(addprefix benchmarks/results/,ablation.md probe/probe.md)
# Engines that cannot share an environment; a bundle says what its files do in them.
ELSEWHERE := .venv-micro/.ready .venv-runtime/.ready
TRIED := --tflite-micro .venv-micro/bin/python --tflite-runtime .venv-runtime/bin/python
# One thread: results repeat, and a watch has no more.
export OMP_NUM_THREADS = 1

.PHONY: demo test test-arm test-apps app check counts latencies bundle day-bundle fusion-bundle fusion days notes benchmarks clean

demo: $(VENV)/.lean
	$(BIN)/onwrist demo -o demo.png

# The runtime's tests run once, with the runtime alone: in tests/end_to_end/test_arrows.py.
test: $(VENV)/.dev
	$(BIN)/python -m pytest --ignore=tests/hosts --ignore=tests/runtime --ignore=tests/attacks

# What it fetches and builds lies in $(OUT)/arm, and is made anew only where its recipe changes.
test-arm: $(VENV)/.dev
	PYTHON=$(BIN)/python benchmarks/arm/lane.sh $(OUT)/arm qemu host root site armhf site-armhf cross \
	    count.so
	ONWRIST_ARM=$(OUT)/arm $(BIN)/python -m pytest tests/arm

app: node_modules/.ready
	npm run --silent build --workspace sdk/onwrist/hosts/typescript
	npm run --silent build --workspace examples/companion_web

test-apps: app $(VENV)/.dev
	$(BIN)/python -m pytest tests/hosts
	npx vitest run --config sdk/onwrist/hosts/typescript/vitest.config.ts
	npm run --silent typecheck --workspace examples/companion_web
	npm test --silent --workspace examples/companion_web

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

counts: $(VENV)/.dev
	PYTHON=$(BIN)/python benchmarks/arm/lane.sh $(OUT)/arm qemu host root site count.so
	$(BIN)/python benchmarks/arm/count.py --lane $(OUT)/arm -o $(OUT)/arm/counts --update

latencies: $(VENV)/.dev
	PYTHON=$(BIN)/python benchmarks/arm/lane.sh $(OUT)/arm llvm
	$(BIN)/python benchmarks/arm/model.py $(OUT)/arm/counts --lane $(OUT)/arm \
	    -o benchmarks/results/arm_latency
	$(BIN)/python benchmarks/arm/floor.py $(OUT)/arm/counts --lane $(OUT)/arm \
	    -o benchmarks/results/arm_floor

bundle: $(VENV)/.dev $(ELSEWHERE)
	$(BIN)/onwrist-export pretrain $(DATA) --config $(CONFIG) -o $(MADE)/pretrained.safetensors
	$(BIN)/onwrist-export train $(DATA) --config $(CONFIG) --encoder $(MADE)/pretrained.safetensors \
	    -o $(MADE)/trained.safetensors
	$(BIN)/onwrist-export pretrain $(DATA) --config $(CONFIG) --step -o $(MADE)/pretrained-step.safetensors
	$(BIN)/onwrist-export train $(DATA) --config $(CONFIG) --step \
	    --encoder $(MADE)/pretrained-step.safetensors -o $(MADE)/trained-step.safetensors
	$(BIN)/onwrist-export quantize $(MADE)/trained.safetensors --step $(MADE)/trained-step.safetensors \
	    --calibrate $(DATA) -o $(MADE)/quantized
	$(BIN)/onwrist-export check $(MADE)/quantized --recordings $(DATA)
	$(BIN)/onwrist-export pack $(MADE)/quantized -o $(MADE)/judged.onwrist
	test ! -e $(TROIKA) || $(BIN)/python benchmarks/troika.py $(TROIKA) \
	    --bundle $(MADE)/judged.onwrist -o $(RUNNING)
	$(BIN)/onwrist-export pack $(MADE)/quantized --notes $(NOTES_$(CONFIG)) $(RUNNING) \
	    -o $(MADE)/packed.onwrist
	$(BIN)/onwrist-export calibrate $(MADE)/packed.onwrist $(DATA) --config $(CONFIG) --least 0.2 \
	    $(TRIED) -o sdk/onwrist/bundles/$(CONFIG).onwrist

day-bundle: $(VENV)/.dev $(ELSEWHERE)
	$(BIN)/onwrist-export pretrain $(DAYS) --config day-lsm2 -o $(OUT)/day/pretrained.safetensors
	$(BIN)/onwrist-export train $(DAYS) --config day-lsm2 --encoder $(OUT)/day/pretrained.safetensors \
	    -o $(OUT)/day/trained.safetensors
	$(BIN)/onwrist-export quantize $(OUT)/day/trained.safetensors --calibrate $(DAYS) -o $(OUT)/day/quantized
	$(BIN)/onwrist-export check $(OUT)/day/quantized --recordings $(DAYS)
	$(BIN)/onwrist-export pack $(OUT)/day/quantized --notes benchmarks/results/days/card.md $(TRIED) \
	    -o sdk/onwrist/bundles/day-lsm2.onwrist

fusion-bundle: $(VENV)/.dev $(ELSEWHERE)
	$(BIN)/onwrist-export pretrain $(FUSION) --config body-fusion -o $(OUT)/fusion/encoded.safetensors
	$(BIN)/onwrist-export train $(FUSION) --config body-fusion --encoder $(OUT)/fusion/encoded.safetensors \
	    -o $(OUT)/fusion/fused.safetensors
	$(BIN)/onwrist-export quantize $(OUT)/fusion/fused.safetensors --calibrate $(FUSION) \
	    --exclude sense.chest.stage1.shortcut -o $(OUT)/fusion/quantized
	$(BIN)/onwrist-export check $(OUT)/fusion/quantized --recordings $(FUSION)
	$(BIN)/onwrist-export pack $(OUT)/fusion/quantized $(TRIED) -o $(OUT)/fusion/packed.onwrist
	$(BIN)/onwrist-export calibrate $(OUT)/fusion/packed.onwrist $(FUSION) --config body-fusion \
	    -o sdk/onwrist/bundles/body-fusion.onwrist

# Leaves out each of thirteen people in turn: hours on one core.
fusion: $(VENV)/.dev
	$(BIN)/python benchmarks/fusion.py $(FUSION) --folds $(OUT)/fusion/folds \
	    --judged "hybrid, restored" -o benchmarks/results/fusion
	$(BIN)/python benchmarks/plausible.py $(dir $(FUSION)) -o benchmarks/results/plausible.md

notes: $(VENV)/.dev
	$(BIN)/python benchmarks/ablation.py $(DATA) -o benchmarks/results/ablation.md
	$(BIN)/onwrist-export probe $(MADE)/pretrained.safetensors $(DATA) --tuning-steps 400 \
	    -o benchmarks/results/probe

# Trains three models for each of six people: hours on one core.
days: $(VENV)/.dev
	$(BIN)/python benchmarks/days.py $(DAYS) -o benchmarks/results/days

benchmarks: $(VENV)/.dev
	$(BIN)/python benchmarks/race.py -o benchmarks/results/race
	$(BIN)/python benchmarks/lean.py -o benchmarks/results/lean
	$(BIN)/python benchmarks/stream.py -o benchmarks/results/stream
	$(BIN)/python benchmarks/day_speed.py -o benchmarks/results/day_speed
	$(BIN)/python benchmarks/micro.py -o benchmarks/results/micro
	$(BIN)/python -m pytest benchmarks/test_latency.py

.venv-%/.ready: $(VENV)/.dev
	$(BIN)/python -c "from pathlib import Path; from onwrist_export.quantization.elsewhere import \
	    environment; environment('tflite-$*', Path('$(@D)'))"

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	    echo "python3 cannot make virtual environments; on Debian: apt-get install python3-venv" >&2; exit 1; }

# What an app needs, without torch.
$(VENV)/.lean: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --editable ".[litert,onnx,readers,plots,cli]"
	touch $@

# torch goes first, by its exact pin, so that no dependency brings another build.
$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet --editable ".[dev]"
	touch $@ $(VENV)/.lean

node_modules/.ready: package.json package-lock.json
	npm ci --silent --no-fund --no-audit
	touch $@

clean:
	rm -rf node_modules examples/companion_web/dist sdk/onwrist/hosts/typescript/dist $(VENV) .venv-* $(OUT) build dist demo.png
