/** What users of a stream rely on, with real graphs: arrival, refusals, turns, failures. */

import { beforeAll, describe, expect, test } from "vitest";

import { EngineError, InputError, loadModel, type Model, type OpenSession } from "./host.js";
import { bundleOf, engine, modelOf } from "./shipped.js";

const EPOCH = 1_644_226_061.37;
const RATE = 64;

let model: Model;
beforeAll(async () => {
  model = await modelOf("wrist-himae-small");
});

/** Numbers that are always the same. */
function drawer(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** So many seconds of a pulse, with jitter and a gap. */
function pulse(seconds: number, seed = 1): { times: Float64Array; values: Float32Array } {
  const draw = drawer(seed);
  const all = Array.from({ length: seconds * RATE }, (_, k) => k / RATE).filter((t) => t < 6 || t > 8.5);
  return {
    times: Float64Array.from(all, (t) => EPOCH + t + (draw() - 0.5) / RATE / 3),
    values: Float32Array.from(all, (t) => 200 * Math.sin(2 * Math.PI * 1.2 * t) + 20 * draw()),
  };
}

const sure = (predictions: readonly { start: number | null; embedding: Float32Array | null }[]) =>
  predictions.map(({ start, embedding }) => [start, [...(embedding ?? [])]]);

describe.each(["step", "window"] as const)("by %s", (mode) => {
  test("samples in bursts and out of order give the same as in one push", async () => {
    const { times, values } = pulse(20);
    const whole = model.stream({ mode, hop: 2.56 });
    const once = [...(await whole.push("ppg", times, values)), ...(await whole.flush())];
    expect(once.length).toBeGreaterThan(2);
    for (let seed = 2; seed < 5; seed++) {
      const draw = drawer(seed);
      const stream = model.stream({ mode, hop: 2.56 });
      // Moved by less than the lateness, then cut anywhere.
      const order = [...times.keys()].sort((a, b) => times[a]! - times[b]!);
      const shuffled = order
        .map((k) => ({ k, at: times[k]! + 1.9 * draw() }))
        .sort((a, b) => a.at - b.at)
        .map(({ k }) => k);
      const found = [];
      for (let begin = 0; begin < shuffled.length; ) {
        const part = shuffled.slice(begin, (begin += 1 + Math.floor(draw() * 90)));
        const some = await stream.push(
          "ppg",
          Float64Array.from(part, (k) => times[k]!),
          Float32Array.from(part, (k) => values[k]!),
        );
        found.push(...some);
      }
      found.push(...(await stream.flush()));
      expect(sure(found)).toEqual(sure(once));
      expect(stream.counters["ppg"]).toEqual(whole.counters["ppg"]);
    }
  });
});

test("steps and windows end at the same times, of the same samples", async () => {
  const { times, values } = pulse(24);
  const found = [];
  for (const mode of ["step", "window"] as const) {
    const stream = model.stream({ mode, hop: 1.28 });
    found.push([...(await stream.push("ppg", times, values)), ...(await stream.flush())]);
  }
  const [steps, windows] = found as [typeof found[0] & object, typeof found[0] & object];
  expect(steps.map((p) => p.start)).toEqual(windows.map((p) => p.start));
  expect(steps.map((p) => p.coverage)).toEqual(windows.map((p) => p.coverage));
});

test("a stream tells what arrived, and how it stands", async () => {
  const { times, values } = pulse(20);
  const stream = model.stream({ hop: 2.56, lateness: 1 });
  expect([stream.mode, stream.hop, stream.lateness, stream.latency]).toEqual(["step", 2.56, 1, null]);
  expect(stream.staleness).toMatchObject({ ppg: null, eda: null });
  const [last] = (await stream.push("ppg", times, values)).slice(-1);
  await stream.push("eda", Float64Array.of(EPOCH + 19), Float32Array.of(1));
  await stream.push("eda", Float64Array.of(EPOCH), Float32Array.of(1));
  expect(stream.counters["eda"]).toEqual({ samples: 1, late: 1, duplicate: 0, repaired: 0 });
  expect(stream.staleness["ppg"]).toBe(0);
  expect(stream.staleness["eda"]).toBeCloseTo(times.at(-1)! - EPOCH - 19, 6);
  expect(stream.latency).toBe(times.at(-1)! - last!.end!);
  expect(stream.coverage).toEqual(last!.coverage);
  const { values: grid, observed } = stream.window;
  expect(observed.subarray(0, 256).reduce((a, b) => a + b, 0) / 256).toBe(last!.coverage["ppg"]);
  expect(grid.every((value, k) => observed[k] || value === 0)).toBe(true);
});

test("a recording gives what Python documents: whole windows, or one that is not", async () => {
  const { times, values } = pulse(30);
  const found = [];
  for await (const one of model.predictRecording({ ppg: { times, values, rate: RATE } })) found.push(one);
  expect(found.map((p) => p.start! - found[0]!.start!)).toEqual([0, 5.12, 10.24, 15.36].map((x) => expect.closeTo(x, 5)));
  const short = { ppg: { times: times.slice(0, 200), values: values.slice(0, 200), rate: RATE } };
  const one = [];
  for await (const prediction of model.predictRecording(short)) one.push(prediction);
  expect(one).toHaveLength(1);
  expect(one[0]!.coverage["ppg"]).toBeLessThan(0.4);
});

describe("what is refused", () => {
  const at = (...times: number[]): Float64Array => Float64Array.from(times);
  const of = (...values: number[]): Float32Array => Float32Array.from(values);
  const year = 366 * 86_400;

  test.each<[string, string, Float64Array, Float32Array, RegExp]>([
    ["times that are NaN", "ppg", at(EPOCH + 4, NaN), of(1, 2), /'ppg': a time must be finite.*NaN/],
    ["infinite times", "ppg", at(Infinity), of(1), /finite and in seconds, not Infinity/],
    ["milliseconds", "ppg", at(EPOCH * 1000), of(1), /milliseconds, perhaps/],
    ["float32 times", "ppg", of(4) as unknown as Float64Array, of(1), /float32 seconds step by 128 s/],
    ["plain numbers", "ppg", [EPOCH] as unknown as Float64Array, of(1), /Float64Array/],
    ["no times", "ppg", undefined as unknown as Float64Array, of(1), /Float64Array/],
    ["samples of another kind", "ppg", at(EPOCH), at(1) as unknown as Float32Array, /Float32Array/],
    ["infinite samples", "ppg", at(EPOCH + 4), of(-Infinity), /a sample is -Infinity/],
    ["huge samples", "ppg", at(EPOCH + 4), of(1e16), /must be below 1e\+15/],
    ["more times than samples", "ppg", at(EPOCH + 4, EPOCH + 5), of(1), /1 samples and 2 time stamps/],
    ["two axes of three", "acc", at(EPOCH + 4), of(1, 2), /sample of 3 values, sample by sample/],
    ["an unknown name", "PPG", at(EPOCH + 4), of(1), /'PPG'; this model knows the channels ppg, acc_x/],
    ["a name of every object", "constructor", at(EPOCH + 4), of(1), /no channel or sensor/],
    ["another clock", "ppg", at(4), of(1), /on one clock/],
    ["a year later", "ppg", at(EPOCH + 2 * year), of(1), /on one clock/],
    ["a year within", "ppg", at(EPOCH + 4, EPOCH - 2 * year), of(1, 1), /on one clock/],
  ])("%s", async (_, name, times, samples, message) => {
    const stream = model.stream();
    const { times: before, values } = pulse(4);
    await stream.push("ppg", before, values);
    const state = (): unknown => [stream.counters, stream.staleness, stream.latency, [...stream.window.values]];
    const was = state();
    await expect(stream.push(name, times, samples)).rejects.toThrow(InputError);
    await expect(stream.push(name, times, samples)).rejects.toThrow(message);
    expect(state()).toEqual(was);
  });

  test("more samples than a stream holds", async () => {
    const stream = model.stream();
    const dense = Float64Array.from({ length: 500_000 }, (_, k) => EPOCH + k / 1e5);
    const pushing = stream.push("ppg", dense, new Float32Array(dense.length));
    await expect(pushing).rejects.toThrow(/'ppg': more than \d+ samples within .*rates/);
    expect(stream.counters["ppg"]!.samples).toBe(0);
  });

  test("samples after a flush, until a reset", async () => {
    const stream = model.stream();
    const { times, values } = pulse(3);
    await stream.push("ppg", times, values);
    await stream.flush();
    await expect(stream.push("ppg", times, values)).rejects.toThrow(/was flushed; reset\(\) begins anew/);
    stream.reset();
    await stream.push("ppg", times, values);
    expect(await stream.flush({ atLeastOne: true })).toHaveLength(1);
  });

  test.each<[string, () => unknown, RegExp]>([
    ["a hop of no steps", () => model.stream({ hop: 1.5 }), /not a whole number of steps of 1.28 s: take 1.28 s and 2.56 s/],
    ["a hop of 0", () => model.stream({ hop: 0 }), /hop must be a positive number/],
    ["a hop that is NaN", () => model.stream({ hop: NaN }), /finite and in seconds/],
    ["a negative lateness", () => model.stream({ lateness: -1 }), /lateness must be from 0/],
    ["a mode of another kind", () => model.stream({ mode: "day" as "step" }), /mode must be 'step' or 'window'/],
    ["a rate of 0", () => model.stream({ rates: { ppg: 0 } }), /positive and finite/],
    ["a rate of an unknown sensor", () => model.stream({ rates: { nose: 5 } }), /'nose'; this model knows/],
    ["two rates of one sensor", () => model.stream({ rates: { acc_x: 50 } }), /share their time stamps/],
    ["a midnight", () => model.stream({ midnight: 0 }), /does not ask for the time of day/],
    ["to impute", () => model.stream({ impute: true }), /cannot impute/],
  ])("%s", (_, begin, message) => expect(begin).toThrow(message));

  test.each<[string, Float32Array, object, RegExp]>([
    ["another length", new Float32Array(5), {}, /values are 5 numbers; this model takes 6 x 256/],
    ["an infinite value", new Float32Array(6 * 256).fill(Infinity), {}, /channel 'ppg' is Infinity at sample 0/],
    ["a mask of another length", new Float32Array(6 * 256), { observed: new Uint8Array(4) }, /observed must be/],
    ["a mask of 2", new Float32Array(6 * 256), { observed: new Uint8Array(6 * 256).fill(2) }, /it must be 0 or 1/],
    ["a baseline of another length", new Float32Array(6 * 256), { baseline: new Float64Array(3) }, /baseline must be/],
    ["a negative scale", new Float32Array(6 * 256), { baseline: new Float64Array(12).fill(-1) }, /its scale >= 0/],
    ["milliseconds", new Float32Array(6 * 256), { start: 1.6e12 }, /milliseconds/],
  ])("a window of %s", async (_, values, options, message) => {
    await expect(model.predict(values, options)).rejects.toThrow(InputError);
    await expect(model.predict(values, options)).rejects.toThrow(message);
  });

  test("recordings without a usable channel", async () => {
    const times = Float64Array.of(EPOCH, EPOCH + 1);
    const values = Float32Array.of(1, 2);
    const play = async (signals: any): Promise<void> => void (await model.predictRecording(signals).next());
    await expect(play({})).rejects.toThrow(/no samples of ppg, .* among no signals/);
    await expect(play({ ecg: { times, values, rate: 64 } })).rejects.toThrow(/among ecg/);
    await expect(play({ ppg: { times, values: values.map(() => NaN), rate: 64 } })).rejects.toThrow(/no samples/);
    await expect(play({ ppg: { times: times.toReversed(), values, rate: 64 } })).rejects.toThrow(/must increase/);
    await expect(play({ ppg: { times, values, rate: 0 } })).rejects.toThrow(/'ppg': a rate must be positive/);
  });
});

test("what nothing was observed of abstains, and says so", async () => {
  const prediction = await model.predict(new Float32Array(6 * 256).fill(NaN), { start: EPOCH });
  expect(prediction.embedding).toBeNull();
  for (const task of Object.values(prediction.tasks)) {
    expect(task).toMatchObject({ abstained: true, value: null, label: null, reason: "nothing was observed" });
  }
  expect(prediction.end! - prediction.start!).toBeCloseTo(10.24, 6);
});

test("calls take turns, and a reset drops those that wait", async () => {
  const { times, values } = pulse(20);
  const parts = Array.from({ length: 20 }, (_, k) => [k * 55, (k + 1) * 55] as const);
  const awaited = model.stream();
  const one = [];
  for (const [a, b] of parts) one.push(...(await awaited.push("ppg", times.subarray(a, b), values.subarray(a, b))));
  const stream = model.stream();
  const scratch = { times: new Float64Array(55), values: new Float32Array(55) };
  const all = parts.map(([a, b]) => {
    scratch.times.set(times.subarray(a, b));
    scratch.values.set(values.subarray(a, b));
    return stream.push("ppg", scratch.times, scratch.values);
  });
  expect(sure((await Promise.all(all)).flat())).toEqual(sure(one));
  const dropped = stream.push("ppg", Float64Array.of(times.at(-1)! + 1), Float32Array.of(1));
  stream.reset();
  expect(await dropped).toEqual([]);
  expect(stream.counters["ppg"]!.samples).toBe(0);
});

test("an engine that fails gives what came before, and is tried again", async () => {
  let calls = 0;
  let failing = false;
  const moody: OpenSession = async (bytes, file) => {
    const session = await engine(bytes, file);
    return {
      run(inputs) {
        calls++;
        if (failing && calls > 3) throw new Error("out of memory");
        return session.run(inputs);
      },
    };
  };
  const broken = await loadModel(await bundleOf("wrist-himae-small"), moody, { prove: false });
  const { times, values } = pulse(24);
  const healthy = model.stream({ mode: "window", hop: 2.56 });
  const wanted = [...(await healthy.push("ppg", times, values)), ...(await healthy.flush())];
  const stream = broken.stream({ mode: "window", hop: 2.56 });
  failing = true;
  const error = await stream.push("ppg", times, values).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(EngineError);
  expect((error as EngineError).message).toMatch(/failed on model.s8.onnx: out of memory/);
  failing = false;
  const rest = await stream.flush();
  const found = [...(error as EngineError).predictions, ...rest];
  expect((error as EngineError).predictions).toHaveLength(3);
  expect(sure(found)).toEqual(sure(wanted));
});

test("a stream of days embeds each patch once, and gives what a window gives to the bit", async () => {
  const day = await modelOf("day-lsm2", { prove: false });
  const { channels, manifest } = day;
  const midnight = 1_644_192_000;
  const stream = day.stream({ hop: 7200, midnight });
  const last = [];
  for (const [row, name] of channels.entries()) {
    const times = Float64Array.from({ length: 24 * 60 }, (_, k) => midnight + 60 * k + 1);
    const values = Float32Array.from(times, (_, k) => 60 + ((k * (row + 7)) % 40));
    last.push(...(await stream.push(name, times.subarray(0, 1440), values)));
  }
  last.push(...(await stream.flush({ atLeastOne: true })));
  const prediction = last.at(-1)!;
  expect([prediction.start, prediction.end]).toEqual([midnight, midnight + 86_400]);
  const { values, observed } = stream.window;
  const again = await day.predict(values, { observed, start: midnight, midnight, impute: false });
  expect([...again.embedding!]).toEqual([...prediction.embedding!]);
  expect(again.tasks).toEqual(prediction.tasks);
  await expect(day.predict(values, { observed })).rejects.toThrow(/asks for the time of day/);
  await expect(day.predict(values, { observed, start: midnight + 61 })).rejects.toThrow(/begins at a multiple of/);
  expect(manifest.tokens?.patch).toBeGreaterThan(1);
});

test("a fused window without one sensor runs the others, and restores what is missing", async () => {
  const fusion = await modelOf("body-fusion", { prove: false });
  const { channels, windowSamples: samples, manifest, bundle } = fusion;
  const golden = bundle.golden();
  const size = channels.length * samples;
  const seenAll = (k: number): boolean => golden.get("observed")!.data.subarray(k * size, (k + 1) * size).every((x) => x === 1);
  const whole = [...Array(manifest.golden.windows).keys()].find(seenAll)!;
  const values = Float32Array.from(golden.get("values")!.data.subarray(whole * size, (whole + 1) * size));
  const observed = Uint8Array.from(golden.get("observed")!.data.subarray(whole * size, (whole + 1) * size));
  const [gone] = fusion.sensors;
  manifest.channels.forEach(({ sensor }, row) => {
    if (sensor === gone) observed.fill(0, row * samples, (row + 1) * samples);
  });
  const prediction = await fusion.predict(values, { observed, impute: true });
  expect(prediction.sensors[gone!]).toMatchObject({ used: false, coverage: 0, weight: 0, reason: "nothing was observed" });
  const weights = Object.values(prediction.sensors).map((sensor) => sensor.weight!);
  expect(weights.reduce((a, b) => a + b)).toBeCloseTo(1, 4);
  const { values: filled, observed: seen } = prediction.imputed!;
  expect(filled.every(Number.isFinite)).toBe(true);
  expect([...seen]).toEqual([...observed]);
  expect(filled.every((value, k) => !seen[k] || value === values[k])).toBe(true);
  const nothing = await fusion.predict(new Float32Array(values.length).fill(NaN), { impute: true });
  expect([nothing.embedding, nothing.imputed]).toEqual([null, null]);
});
