/**
 * The worker: requests of the page in, replies out. It holds the bundle, the engine, the
 * recording and the stream, so that the page stays smooth and a slow model never blocks it.
 */
import { loadModel, openBundle, readBundle, type Model } from "@onwrist/stream";
import { AppError, messageOf } from "../errors";
import type { BundleFacts, Mode, Reply, Request } from "../protocol";
import { readRecording } from "../readers";
import type { Recording } from "../readers/recording";
import { checkRecording } from "./checks";
import { LiveDay, predictDays } from "./days";
import { ENGINE, openSession } from "./engine";
import { Player } from "./player";
import { fetched, proven } from "./proof";
import { openService, type ServiceModel } from "./service";
import { ratesOf } from "./tracks";

const post = (reply: Reply): void => self.postMessage(reply);

let model: Model | null = null;
let service: ServiceModel | null = null;
type Kept = Recording & { simulated?: boolean };
let recording: Kept | null = null;
let player: Player | null = null;
let live: LiveDay | null = null;
let settings: { mode: Mode; speed: number; utcOffset: number } = {
  mode: "window",
  speed: 1,
  utcOffset: 0,
};

// One after the other: a recording is held against the bundle that was chosen before it.
let queue: Promise<void> = Promise.resolve();

self.onmessage = ({ data }: MessageEvent<Request>) => {
  if (data.kind === "play") return player?.play();
  if (data.kind === "pause") return void player?.pause();
  if (data.kind === "beat") return void live?.beat(data.time, data.bpm).catch(fail("run"));
  const about = data.kind === "bundle" || data.kind === "recording" ? data.kind : "run";
  queue = queue
    .then(() => handle(data))
    .catch(fail(about))
    .finally(() => post({ kind: "busy", what: null }));
};

function fail(about: "bundle" | "recording" | "run"): (error: unknown) => void {
  return (error) => post({ kind: "error", about, message: messageOf(error) });
}

// What nobody caught is told as well: no failure ends in silence.
self.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  fail("run")(event.reason);
});

async function handle(request: Request): Promise<void> {
  switch (request.kind) {
    case "bundle":
      return await takeBundle(request);
    case "recording":
      post({ kind: "busy", what: "Reading the recording" });
      return await takeRecording(request);
    case "settings": {
      const anew = request.mode !== settings.mode || request.utcOffset !== settings.utcOffset;
      settings = request;
      if (player) player.speed = request.speed;
      if (anew) await begin();
      return;
    }
    case "step":
      return await player?.step();
    case "restart":
      return await begin();
    case "live":
      live = request.on && model?.manifest.tokens ? new LiveDay(model, post) : null;
      if (request.on && !live)
        throw new AppError("beats per minute are for a model of days: choose day-lsm2");
      return;
  }
}

async function takeBundle(request: Request & { kind: "bundle" }): Promise<void> {
  post({ kind: "busy", what: "Checking the model's hashes and golden vectors" });
  await stop();
  const began = performance.now();
  [model, service, live] = [null, null, null];
  let facts: BundleFacts;
  const seconds = () => (performance.now() - began) / 1000;
  if (request.engine === "service") {
    service = await openService(request.name);
    const { manifest, hash, engine } = service;
    const steps = manifest.step !== null;
    const name = request.name;
    facts = {
      name,
      hash,
      bytes: 0,
      manifest,
      engine,
      verification: null,
      seconds: seconds(),
      steps,
    };
  } else {
    const blob = "file" in request ? request.file : await fetched(request.url);
    const bundle =
      "file" in request
        ? await readBundle(blob)
        : await openBundle(new Uint8Array(await blob.arrayBuffer()));
    const loaded = await loadModel(bundle, openSession, { prove: false });
    const verification = await proven(loaded);
    model = loaded;
    const { manifest, hash } = bundle;
    const steps = manifest.step !== null;
    facts = {
      name: request.name,
      hash,
      bytes: blob.size,
      manifest,
      engine: ENGINE,
      verification,
      seconds: seconds(),
      steps,
    };
  }
  post({ kind: "bundle", facts });
  if (recording) await use(recording).catch(fail("recording"));
}

async function takeRecording(request: Request & { kind: "recording" }): Promise<void> {
  if ("files" in request) return await use(await readRecording(request.files));
  const files = [{ path: `${request.name}.csv`, file: await fetched(request.url) }];
  await use({ ...(await readRecording(files)), simulated: true });
}

/** Show a recording and make it ready to play; one that cannot be used changes nothing. */
async function use(read: Kept): Promise<void> {
  const manifest = model?.manifest ?? service?.manifest;
  if (!manifest) {
    recording = read; // it is looked at as soon as a bundle is there
    return;
  }
  const { used, notes } = checkRecording(read, manifest);
  const times = used.map((name) => read.signals[name]!.times);
  post({
    kind: "recording",
    facts: {
      name: read.name,
      simulated: read.simulated === true,
      start: Math.min(...times.map((each) => each[0]!)),
      end: Math.max(...times.map((each) => each.at(-1)!)),
      signals: Object.fromEntries(used.map((name) => [name, read.signals[name]!])),
      used,
      events: read.events,
      notes: [...read.notes, ...notes],
    },
  });
  recording = read;
  await begin();
}

/** Begin at the recording's start; of a day bundle predict on all of it. */
async function begin(): Promise<void> {
  await stop();
  const manifest = model?.manifest ?? service?.manifest;
  if (!recording || !manifest) return;
  post({ kind: "cleared" });
  if (manifest.tokens !== null) {
    if (!model) throw new AppError("days are computed in this page: choose WebAssembly for them");
    post({ kind: "busy", what: "Predicting the days" });
    const midnight = -3600 * settings.utcOffset;
    const predictions = await predictDays(model, recording.signals, midnight);
    post({ kind: "days", predictions, midnight, live: false });
    return;
  }
  const rates = ratesOf(manifest, recording.signals);
  const mode = settings.mode === "step" && manifest.step === null ? "window" : settings.mode;
  const stream = model ? model.stream({ mode, rates }) : await service!.stream({ mode, rates });
  player = new Player(
    manifest,
    recording,
    stream,
    (predictions) => post({ kind: "predictions", predictions }),
    (status) => post({ kind: "status", status }),
    fail("run"),
  );
  player.speed = settings.speed;
}

async function stop(): Promise<void> {
  await player?.pause();
  player = null;
  service?.close();
}
