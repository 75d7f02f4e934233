/**
 * One case of the shared vectors in, what this host gives for it out: its `expected`.
 *
 * `host` holds the modules of @onwrist/stream, from its source or from its build.
 * tests/vectors/make.py and stream_replay.py say what the fields of a case are.
 */

/** The modules that are asked. */
export const MODULES = [
  "availability",
  "chain",
  "decision",
  "engine",
  "errors",
  "manifest_fields",
  "minutes",
  "plausibility",
  "predictor",
  "resampling",
  "stream",
  "tokens",
];

/** How each part of a file is replayed; a part that is not here is unknown. */
export const PARTS = {
  resampling: replayResampling,
  decision: (host, one) => decided(host, one, one.task, ["ppg", "acc", "eda"], null),
  minutes: replayMinutes,
  slots: replaySlots,
  nearest: replayNearest,
  clock: replayClock,
  sensors: replaySensors,
  live_decision: (host, one) => decided(host, one, one.live_task, one.sensors, one.pattern),
  streams: replayStream,
  days: replayStream,
  plausible: replayPlausible,
};

/** What stands beside the parts of a file. */
export const BESIDES = ["format", "tolerance", "about"];

/** Where two records differ: numbers by more than the tolerance, all else at all. */
export function apart(found, stored, tolerance, where = "") {
  if (typeof stored === "number" && typeof found === "number") {
    return Math.abs(found - stored) <= tolerance ? [] : [`${where}: ${found} is not ${stored}`];
  }
  if (typeof stored === "object" && stored && typeof found === "object" && found) {
    const names = new Set([...Object.keys(stored), ...Object.keys(found)]);
    return [...names].flatMap((name) => {
      if (!Object.hasOwn(stored, name)) return [`${where}.${name}: ${JSON.stringify(found[name])} is too much`];
      return apart(found[name], stored[name], tolerance, `${where}.${name}`);
    });
  }
  return found === stored ? [] : [`${where}: ${JSON.stringify(found)} is not ${JSON.stringify(stored)}`];
}

const number = (x) => (x === null ? NaN : x);

function replayResampling(host, one) {
  const { values, observed } = host.resample(
    Float64Array.from(one.times),
    [Float32Array.from(one.samples, number)],
    one.rate,
    one.grid_rate,
    one.first,
    one.count,
  );
  return { values: [...values], observed: [...observed].map(Boolean) };
}

function replayMinutes(host, one) {
  const { values, observed } = new host.Minutes(one.period, one.zero).aggregate(
    Float64Array.from(one.times),
    [Float32Array.from(one.samples, number)],
    [one.aggregation === "sum"],
    one.first,
    one.count,
  );
  return { values: [...values], observed: [...observed].map(Boolean) };
}

function replaySlots(host, one) {
  const points = one.channels[0].length;
  const observed = Uint8Array.from(one.channels.join(""), Number);
  const cut = new host.Cut(points, one.patch, one.groups, one.least, 1, one.sizes, null, 1);
  const slots = cut.slots(cut.present(observed, points));
  return { size: slots.length, slots };
}

function replayNearest(host, one) {
  const { before, after } = host.nearest(Uint8Array.from(one.points, Number));
  return { before: [...before], after: [...after] };
}

function replayClock(host, one) {
  const { period, patch, start, midnight } = one;
  const cut = new host.Cut(Math.round(86_400 / period), patch, [[0]], [1], 1, [1], null, period);
  return { clock: cut.clock(start, midnight) };
}

function decided(host, one, task, sensors, pattern) {
  const numbers = one.output && Float32Array.from(one.output, number);
  const outputs = numbers && { [task.name]: host.tensor(numbers, 1, numbers.length) };
  const results = host.decide({ tasks: [task], sensors }, outputs, one.coverage, pattern);
  return told(results[task.name]);
}

function told({ abstained, value, label, reason }) {
  return { abstained, value, label, reason };
}

function replaySensors(host, one) {
  const owner = one.counts.map((_, row) =>
    Object.keys(one.rows).find((sensor) => one.rows[sensor].includes(row)),
  );
  const patterns = new host.Patterns({
    channels: owner.map((sensor, row) => ({ name: `c${row}`, sensor })),
    samples: one.points,
    tasks: one.tasks.map((name) => ({ name })),
    availability: { least: one.least, patterns: one.patterns },
  });
  const observed = Uint8Array.from(
    one.counts.flatMap((count) => Array.from({ length: one.points }, (_, k) => (k < count ? 1 : 0))),
  );
  const situation = patterns.of(observed, new Map(Object.entries(one.left_out)));
  const states = host.states(patterns, situation, null);
  return {
    coverage: situation.coverage,
    sensors: situation.sensors,
    live: situation.live,
    calibrated: one.tasks.filter((task) => Object.hasOwn(situation.pattern.temperatures, task)),
    scales: Object.fromEntries(
      Object.entries(situation.scales).map(([name, { data }]) => [name, data[0]]),
    ),
    reasons: Object.fromEntries(Object.entries(states).map(([name, state]) => [name, state.reason])),
  };
}

function replayPlausible(host, one) {
  const records = one.plausible.map((record) => ({
    usual: null,
    turned: null,
    exchanged: {},
    alarms: null,
    ...record,
  }));
  const samples = one.values[0].length;
  const all = one.values.flat();
  const values = Float32Array.from(all, (x) => x ?? 0);
  const observed = Uint8Array.from(all, (x) => (x === null ? 0 : 1));
  const plausibility = new host.Plausibility(records, one.channels, one.rate, samples);
  return Object.fromEntries(plausibility.implausible(values, observed));
}

// What a manifest has besides, which no stream looks at.
const REST = {
  format: 1,
  name: "vectors",
  version: "1",
  description: "",
  licence: "",
  embedding: [{ name: "all", start: 0, stop: 1, stride: 1, receptive_field: 1 }],
  graphs: [],
  golden: { file: "golden.safetensors", windows: 1, tolerance: {}, loose: {} },
  members: {},
};
const CHANNEL = { unit: "1", polarity: "", minimum: -1, maximum: 1, normalization: "window" };

async function replayStream(host, one) {
  const record = {
    ...REST,
    ...one.manifest,
    channels: one.manifest.channels.map((channel) => ({ ...CHANNEL, ...channel })),
  };
  const manifest = host.readFields(record, "$", { value: record, fractions: new Set() });
  const kept = new Recorder(host, manifest, one);
  const { hop, lateness, rates, midnight, mode } = one.settings;
  const options = { mode, hop: hop / manifest.rate, lateness, rates };
  if (manifest.tokens) options.midnight = midnight;
  const stream = host.Stream.begin(kept.made(), options);
  kept.stream = stream;
  const after = [];
  for (const action of one.actions) {
    kept.due = [];
    try {
      await act(stream, action);
      after.push({ refused: false, due: kept.due });
    } catch (error) {
      if (!(error instanceof host.InputError)) throw error;
      after.push({ refused: true });
    }
  }
  return {
    after,
    grid: kept.pieces(),
    counters: Object.fromEntries(
      Object.entries(stream.counters).map(([name, found]) => [
        name,
        [found.samples, found.late, found.duplicate, found.repaired],
      ]),
    ),
    staleness: stream.staleness,
    latency: stream.latency,
    coverage: Object.values(stream.coverage),
  };
}

async function act(stream, action) {
  if (action.reset) stream.reset();
  else if ("at_least_one" in action) await stream.flush({ atLeastOne: action.at_least_one });
  else {
    const samples = Float32Array.from(action.samples.flat(), number);
    await stream.push(action.push, Float64Array.from(action.times), samples);
  }
}

/** Stand-ins for graphs, which keep what they are given, and what is answered. */
class Recorder {
  due = [];
  ran = null;
  stream = null;
  grid = new Map();

  constructor(host, manifest, one) {
    Object.assign(this, { host, manifest, one });
  }

  made() {
    const { host, manifest, one } = this;
    const engine = (role, run) =>
      new host.Engine({ run: async (inputs) => run(inputs) }, manifest, { file: role, role, sensor: null });
    const answer = (inputs) => this.answer(inputs);
    let runner = { kind: "window", engine: engine("window", answer) };
    if (manifest.tokens) {
      const embed = engine("embed", (inputs) => this.embed(inputs));
      runner = { kind: "day", chain: new host.Chain(host.Cut.of(manifest), embed, engine("encode", answer), null) };
    }
    const recorder = this;
    class Predictor extends host.Predictor {
      answer(outputs, situation, start, grid) {
        const prediction = super.answer(outputs, situation, start, grid);
        recorder.keepPrediction(prediction, grid);
        return prediction;
      }
    }
    const identity = { name: "vectors", version: "1", hash: "" };
    const step = one.settings.mode === "step" ? engine("step", (inputs) => this.step(inputs)) : null;
    return { manifest, runner, step, predictor: new Predictor(manifest, runner, identity) };
  }

  answer(inputs) {
    this.ran = inputs;
    const outputs = Object.fromEntries(
      Object.entries(this.one.outputs).map(([name, numbers]) => [
        name,
        this.host.tensor(Float32Array.from(numbers), 1, numbers.length),
      ]),
    );
    if (inputs.tokens) outputs.encoded = inputs.tokens;
    return outputs;
  }

  step(inputs) {
    const { data, shape } = inputs.state;
    const { timeline, roll } = this.stream.run;
    const first = timeline.origin + roll.done;
    this.keep(first, inputs.values.data, inputs.observed.data, inputs.values.shape[2]);
    this.due.push({ first, inputs: inputsOf(inputs) });
    return { ...this.answer(inputs), next_state: { data: data.map((x) => x + 1), shape } };
  }

  embed({ observed }) {
    const { patch, groups } = this.manifest.tokens;
    const [, channels, points] = observed.shape;
    const tokens = [];
    for (let t = 0; t < points / patch; t++) {
      let count = 0;
      for (let row = 0; row < channels; row++) {
        for (let k = t * patch; k < (t + 1) * patch; k++) count += observed.data[row * points + k];
      }
      groups.forEach((_, g) => tokens.push(count, g));
    }
    return { tokens: this.host.tensor(Float32Array.from(tokens), 1, tokens.length / 2, 2) };
  }

  keepPrediction(prediction, grid) {
    const { start, end, coverage, tasks, sensors } = prediction;
    const shown = { start, end, coverage: Object.values(coverage) };
    if (this.manifest.tasks.length) {
      shown.tasks = Object.fromEntries(Object.entries(tasks).map(([name, task]) => [name, told(task)]));
      shown.sensors = Object.fromEntries(
        Object.entries(sensors).map(([name, { coverage, used, reason }]) => [name, { coverage, used, reason }]),
      );
    }
    if (this.one.settings.mode === "step") {
      this.due[this.due.length - 1].prediction = shown;
      return;
    }
    const first = Math.round((start - this.one.settings.midnight) * this.manifest.rate) + 0;
    this.keep(first, grid.values, grid.observed, this.manifest.samples);
    this.due.push({ first, inputs: this.ran && inputsOf(this.ran), prediction: shown });
    this.ran = null;
  }

  keep(first, values, observed, points) {
    values.forEach((value, k) => {
      const row = Math.floor(k / points);
      if (!observed[k]) {
        if (value !== 0) throw new Error(`${value} where nothing was observed`);
        return;
      }
      const place = `${row} ${first + (k % points)}`;
      const before = this.grid.get(place) ?? { row, point: first + (k % points), value };
      if (before.value !== value) throw new Error(`${place} is ${before.value}, then ${value}`);
      this.grid.set(place, before);
    });
  }

  /** The observed grid points, as stretches without a gap. */
  pieces() {
    const found = [];
    let before = null;
    const all = [...this.grid.values()].sort((a, b) => a.row - b.row || a.point - b.point);
    for (const { row, point, value } of all) {
      if (before?.row !== row || before.point !== point - 1) found.push({ row, first: point, values: [] });
      found[found.length - 1].values.push(value);
      before = { row, point };
    }
    return found;
  }
}

/** What a graph is given besides values and observed. */
function inputsOf(inputs) {
  const kept = {};
  for (const [name, { data, shape }] of Object.entries(inputs)) {
    if (name === "state" || name === "slots") kept[name] = [...data];
    else if (name === "baseline" || name === "tokens") kept[name] = rowsOf(data, shape[2]);
    else if (name.endsWith("_scale")) kept.scales = { ...kept.scales, [name]: data[0] };
    else if (name === "clock") kept.clock = data[0];
  }
  return kept;
}

function rowsOf(data, width) {
  return Array.from({ length: data.length / width }, (_, row) => [
    ...data.subarray(row * width, (row + 1) * width),
  ]);
}
