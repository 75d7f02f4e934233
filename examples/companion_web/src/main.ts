/** The page: what a person does in, requests to the worker out; its replies in, views out. */
import { messageOf } from "./errors";
import { missingFeature } from "./features";
import { Announcer } from "./page/announcer";
import { DaysView } from "./page/days_view";
import { byId, element, setText } from "./page/dom";
import { watchStrap } from "./page/live";
import { LogView } from "./page/log_view";
import { registerOffline } from "./page/offline";
import { watchOpening } from "./page/opening";
import { showNoProof, showProof } from "./page/proof_view";
import { watchSaving } from "./page/saving";
import { SignalsView } from "./page/signals_view";
import { TasksView } from "./page/tasks_view";
import { clock, inWords, rateInWords } from "./page/words";
import { startWorker } from "./page/worker";
import type {
  BundleFacts,
  Engine,
  Mode,
  Predicted,
  RecordingFacts,
  Reply,
  Status,
} from "./protocol";
import { DEFAULT, SHIPPED, simulatedFor } from "./shipped";

const base = import.meta.env.BASE_URL;
const model = byId<HTMLSelectElement>("model");
const engine = byId<HTMLSelectElement>("engine");
const speed = byId<HTMLSelectElement>("speed");
const mode = byId<HTMLSelectElement>("mode");
const offset = byId<HTMLInputElement>("offset");
const play = byId<HTMLButtonElement>("play");

const signals = new SignalsView();
const tasks = new TasksView();
const days = new DaysView();
const log = new LogView();
const announcer = new Announcer();

let bundle: BundleFacts | null = null;
let recording: RecordingFacts | null = null;
let predictions: Predicted[] = [];
let midnight = 0;
let playing = false;
let wantsLive = false;

const ask = startWorker(take, (message) => {
  showError(message);
  for (const button of document.querySelectorAll<HTMLButtonElement>("#controls button"))
    button.disabled = true;
});

function take(reply: Reply): void {
  switch (reply.kind) {
    case "bundle":
      return showBundle(reply.facts);
    case "recording":
      return showRecording(reply.facts);
    case "cleared":
      return clear();
    case "busy":
      return showBusy(reply.what);
    case "status":
      return showStatus(reply.status);
    case "predictions":
      predictions.push(...reply.predictions);
      return soon();
    case "days":
      if (reply.live) recording = null;
      return showDays(reply.predictions, reply.midnight);
    case "error":
      if (reply.about === "bundle") {
        bundle = null;
        showNoProof(reply.message);
        model.value = "";
      }
      showError(reply.message);
  }
}

// The model

function showBundle(facts: BundleFacts): void {
  bundle = facts;
  recording = null;
  showProof(facts);
  showNotes([]);
  const { manifest } = facts;
  const ofDays = manifest.tokens !== null;
  for (const id of ["signals", "history", "now"]) byId(id).hidden = ofDays;
  for (const id of ["play", "step", "speed-field", "mode-field", "progress"])
    byId(id).hidden = ofDays;
  for (const id of ["offset-field", "days"]) byId(id).hidden = !ofDays;
  mode.options[1]!.disabled = !facts.steps;
  if (!facts.steps) mode.value = "window";
  setText(byId("play-title"), ofDays ? "Settings" : "Play");
  setText(byId("restart"), ofDays ? "Predict again" : "Restart");
  tasks.show(manifest);
  log.show(manifest, 0);
  if (ofDays) days.show(manifest);
  byId("sensors").replaceChildren();
  setText(byId("recorded"), "No recording yet.");
  clear();
  enable();
  if (wantsLive) ask({ kind: "live", on: true });
}

function openShipped(name: string): void {
  hideError();
  ask({
    kind: "bundle",
    name,
    url: `${base}bundles/${name}.onwrist`,
    engine: engine.value as Engine,
  });
}

function openBundleFile(file: File): void {
  hideError();
  model.value = "";
  engine.value = "wasm";
  ask({ kind: "bundle", name: file.name, file, engine: "wasm" });
}

model.addEventListener("change", () => openShipped(model.value));
engine.addEventListener("change", () => openShipped(model.value || DEFAULT));

// The recording

watchOpening({
  bundle: openBundleFile,
  recording(files) {
    hideError();
    ask({ kind: "recording", files });
  },
  failure: showFailure,
});
byId("simulated").addEventListener("click", () => {
  hideError();
  const name = simulatedFor(bundle?.manifest ?? null);
  ask({ kind: "recording", name, url: `${base}recordings/${name}.csv` });
});

function showRecording(facts: RecordingFacts): void {
  recording = facts;
  const length = clock(facts.end - facts.start);
  const sensors = new Map<string, string>();
  for (const { name, sensor } of bundle?.manifest.channels ?? []) {
    const signal = facts.signals[name];
    if (signal) sensors.set(sensor, `${inWords(sensor)} ${rateInWords(signal.rate)}`);
  }
  const origin = facts.simulated ? " (simulated, of nobody)" : "";
  const recorded = byId("recorded");
  setText(recorded, `${facts.name}${origin}: ${length}, ${[...sensors.values()].join(", ")}.`);
  recorded.dataset.count = String(Number(recorded.dataset.count ?? 0) + 1);
  showNotes(facts.notes);
  if (bundle && bundle.manifest.tokens === null) signals.show(bundle.manifest, facts);
  if (bundle) log.show(bundle.manifest, facts.start);
}

function showNotes(notes: string[]): void {
  byId("notes").replaceChildren(...notes.map((note) => element("li", {}, note)));
}

// Playing

function settings(): void {
  const hours = Math.min(14, Math.max(-14, Number(offset.value) || 0));
  ask({ kind: "settings", mode: mode.value as Mode, speed: Number(speed.value), utcOffset: hours });
}

for (const control of [speed, mode, offset]) control.addEventListener("change", settings);
play.addEventListener("click", () => ask({ kind: playing ? "pause" : "play" }));
byId("step").addEventListener("click", () => ask({ kind: "step" }));
byId("restart").addEventListener("click", () => ask({ kind: "restart" }));

function showStatus(status: Status): void {
  if (!recording) return;
  playing = status.playing;
  setText(play, playing ? "Pause" : "Play");
  play.disabled = byId<HTMLButtonElement>("step").disabled = status.finished;
  const length = recording.end - recording.start;
  const done = status.position - recording.start;
  byId<HTMLProgressElement>("progress").value = length > 0 ? done / length : 1;
  const state = status.finished ? ", finished" : playing ? "" : ", paused";
  setText(byId("position"), `${clock(done)} of ${clock(length)}${state}`);
  byId("controls").dataset.finished = String(status.finished);
  signals.update(status);
}

function clear(): void {
  predictions = [];
  announcer.clear();
  log.clear();
  setText(byId("latency"), "");
  setText(byId("position"), "");
  showPredictions(true);
  enable();
}

/** Playing is possible as soon as the worker tells how its stream stands. */
function enable(): void {
  play.disabled = byId<HTMLButtonElement>("step").disabled = true;
  byId<HTMLButtonElement>("restart").disabled = !recording;
  delete byId("controls").dataset.finished;
}

// Predictions

let drawing = false;

/** Show what came once a frame: as fast as possible is hundreds of windows a second. */
function soon(): void {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    showPredictions(false);
  });
}

function showPredictions(anew: boolean): void {
  if (!bundle) return;
  tasks.update(predictions, recording ? [recording.start, recording.end] : [0, 1]);
  log.update(predictions, midnight, anew);
  const last = predictions.at(-1);
  if (!last) return;
  announcer.take(last.prediction, bundle.manifest);
  const taken = predictions.map((each) => each.milliseconds).filter((x) => x !== null);
  if (!taken.length) return;
  const median = taken.slice().sort((a, b) => a - b)[taken.length >> 1]!;
  setText(
    byId("latency"),
    `Computed in ${taken.at(-1)!.toFixed(1)} ms, p50 ${median.toFixed(1)} ms over ${taken.length} windows ` +
      "(grid, graph and decision, in the worker).",
  );
}

function showDays(found: Predicted[], zero: number): void {
  predictions = found;
  midnight = zero;
  days.update(found, zero);
  showPredictions(true);
}

watchSaving(() => bundle && { bundle, recording, predictions, midnight });

// Live beats

watchStrap({
  start() {
    hideError();
    wantsLive = true;
    if (bundle?.manifest.tokens && engine.value === "wasm") return ask({ kind: "live", on: true });
    model.value = "day-lsm2";
    engine.value = "wasm";
    openShipped("day-lsm2");
  },
  beat(time, bpm) {
    ask({ kind: "beat", time, bpm });
  },
  stop() {
    wantsLive = false;
    ask({ kind: "live", on: false });
  },
});

// What went wrong

function showError(message: string): void {
  const shown = byId("error");
  shown.hidden = false;
  setText(shown, message);
}

function showFailure(error: unknown): void {
  showError(messageOf(error));
}

function hideError(): void {
  byId("error").hidden = true;
  setText(byId("error"), "");
}

function showBusy(what: string | null): void {
  document.body.setAttribute("aria-busy", String(what !== null));
  if (what === null || byId("proof").dataset.state === "bad") return;
  if (what.startsWith("Checking")) {
    byId("proof").dataset.state = "none";
    setText(byId("proof"), `${what} ...`);
  }
}

window.addEventListener("unhandledrejection", (event) => showFailure(event.reason));
window.addEventListener("error", (event) =>
  showError(`This page failed (${event.message}): reload it.`),
);

// The beginning

model.replaceChildren(
  ...SHIPPED.map(({ name, words }) => element("option", { value: name }, `${name}: ${words}`)),
  element("option", { value: "", hidden: true }, "opened from a file"),
);
model.value = DEFAULT;
settings();

registerOffline();
const missing = missingFeature();
if (missing) {
  showNoProof(missing);
  showError(missing);
} else {
  openShipped(DEFAULT);
}
