/**
 * A manifest in, the first thing in it that contradicts the format out, as a BundleError.
 *
 * BUNDLE.md states the rules and their reasons.
 */

import type { Channel, Manifest, Stage, Task } from "./manifest.js";
import { outputsOf, SCALE } from "./manifest.js";
import { checkGraphs } from "./manifest_graphs.js";
import { checkPlausible } from "./manifest_plausible.js";
import { demand, NAME, pattern, printable, share, unique } from "./manifest_rules.js";
import { checkAvailability, checkFusion } from "./manifest_sensors.js";
import { checkTokens } from "./manifest_tokens.js";
import { quoted } from "./words.js";

const MOST = 256; // channels, stages, tasks, graphs
const LARGEST_WINDOW = 2 ** 24; // numbers
const LARGEST_STATE = 2 ** 20; // numbers
const LONGEST_BASELINE = 86_400; // seconds
const SLOWEST = 1e-3; // Hz, of a channel
const FASTEST = 1e5;
const VERSION = /^[0-9A-Za-z][0-9A-Za-z.+-]{0,63}$/;

// The names of other inputs and outputs, which a task must not have.
const RESERVED = new Set(
  (
    "embedding imputed next_state state values observed baseline " +
    "tokens slots encoded present before after clock sensed live weights"
  ).split(" "),
);

/** Throw BundleError for the first thing in a manifest that contradicts the format. */
export function check(manifest: Manifest): void {
  pattern("the bundle's name", manifest.name, NAME);
  pattern("the version", manifest.version, VERSION);
  printable("the description", manifest.description);
  printable("the licence", manifest.licence);
  const { channels, embedding, tasks, graphs } = manifest;
  for (const [what, records] of Object.entries({ channels, stages: embedding, tasks, graphs })) {
    demand(records.length <= MOST, `there are ${records.length} ${what}, over ${MOST}`);
  }
  checkWindow(manifest);
  checkChannels(channels);
  checkEmbedding(embedding);
  unique("task", tasks.map((task) => task.name));
  const names = channels.map((channel) => channel.name);
  for (const task of tasks) checkTask(task, names);
  checkStreaming(manifest);
  checkTokens(manifest);
  checkPlausible(manifest.plausible, new Map(channels.map((c) => [c.name, c.sensor])));
  checkAvailability(manifest);
  checkFusion(manifest);
  checkGraphs(manifest);
  checkGolden(manifest);
}

function checkWindow({ rate, samples, channels }: Manifest): void {
  demand(rate > 0 && rate <= 10_000, `the rate must be above 0 and at most 10000 Hz, not ${rate}`);
  demand(
    samples > 0 && samples <= Math.floor(LARGEST_WINDOW / Math.max(1, channels.length)),
    `a window must have at least 1 sample and at most ${LARGEST_WINDOW} numbers, not ` +
      `${channels.length} channels of ${samples} samples`,
  );
}

function checkChannels(channels: readonly Channel[]): void {
  demand(channels.length > 0, "there must be at least one channel");
  unique("channel", channels.map((channel) => channel.name));
  const axes = new Map<string, number>();
  const rates = new Map<string, number>();
  for (const channel of channels) {
    checkChannel(channel);
    axes.set(channel.sensor, (axes.get(channel.sensor) ?? 0) + 1);
    rates.set(channel.sensor, channel.rate);
  }
  for (const { name, sensor, rate } of channels) {
    demand(
      rate === rates.get(sensor),
      `channels of sensor ${quoted(sensor)} have the rates ${rate} and ${rates.get(sensor)}`,
    );
    const alone = name === sensor && axes.get(sensor) === 1;
    demand(
      alone || !axes.has(name),
      `${quoted(name)} names both a channel and a sensor with other channels`,
    );
  }
}

function checkChannel(channel: Channel): void {
  const where = `channel ${quoted(channel.name)}`;
  pattern("a channel's name", channel.name, NAME);
  pattern(`${where}: the sensor`, channel.sensor, NAME);
  printable(`${where}: the unit`, channel.unit);
  printable(`${where}: the polarity`, channel.polarity);
  demand(
    channel.minimum < channel.maximum,
    `${where}: minimum ${channel.minimum} is not below maximum ${channel.maximum}`,
  );
  demand(channel.scale > 0, `${where}: scale must be above 0, not ${channel.scale}`);
  demand(
    SLOWEST <= channel.rate && channel.rate <= FASTEST,
    `${where}: the rate must be from ${SLOWEST} to ${FASTEST} Hz, not ${channel.rate}`,
  );
  demand(
    channel.normalization !== "log" || channel.minimum >= 0,
    `${where}: what is scaled by its logarithm is not below 0, but its minimum is ` +
      `${channel.minimum}`,
  );
}

function checkEmbedding(stages: readonly Stage[]): void {
  demand(stages.length > 0, "the embedding must have at least one stage");
  unique("stage", stages.map((stage) => stage.name));
  let expected = 0;
  for (const stage of stages) {
    const where = `stage ${quoted(stage.name)}`;
    pattern("a stage's name", stage.name, NAME);
    demand(
      stage.start === expected && expected < stage.stop,
      `${where}: its slice [${stage.start}, ${stage.stop}) must start at ${expected}, where the ` +
        "one before it stops, and must not be empty",
    );
    demand(
      stage.stride > 0 && stage.receptive_field > 0,
      `${where}: stride and receptive field must be above 0`,
    );
    expected = stage.stop;
  }
  demand(expected <= 1_000_000, `the embedding has ${expected} numbers, over 1000000`);
}

function checkTask(task: Task, channels: readonly string[]): void {
  const where = `task ${quoted(task.name)}`;
  pattern("a task's name", task.name, NAME);
  const reserved = RESERVED.has(task.name) || task.name.endsWith(SCALE);
  demand(!reserved, `a task must not be called ${quoted(task.name)}`);
  if (task.kind === "regression") {
    demand(!task.labels.length, `${where}: a regression has no labels`);
    demand(task.unit !== null, `${where}: a regression must state its unit`);
  } else {
    demand(task.labels.length >= 2, `${where}: a classification needs two labels`);
    demand(task.unit === null, `${where}: a classification has no unit`);
  }
  unique(`${where}: label`, task.labels);
  for (const text of [...task.labels, task.unit ?? ""]) {
    printable(`${where}: a label or unit`, text);
  }
  for (const [channel, least] of [
    ...Object.entries(task.required),
    ...Object.entries(task.any_of),
  ]) {
    demand(
      channels.includes(channel),
      `${where}: coverage is asked of ${quoted(channel)}, but the channels are ` +
        channels.join(", "),
    );
    share(`${where}: the coverage asked of ${quoted(channel)}`, least);
  }
  share(`${where}: minimum_confidence`, task.minimum_confidence);
}

function checkStreaming({ baseline, step, samples }: Manifest): void {
  if (baseline) {
    demand(
      baseline.seconds > 0 && baseline.seconds <= LONGEST_BASELINE,
      `baseline: seconds must be above 0 and at most ${LONGEST_BASELINE}, not ${baseline.seconds}`,
    );
    demand(
      baseline.samples > 0 && baseline.samples <= samples,
      `baseline: samples must be from 1 to the ${samples} of a window, not ${baseline.samples}`,
    );
  }
  if (step) {
    demand(
      step.samples > 0 && samples % step.samples === 0,
      `step: samples must divide the ${samples} of a window, not be ${step.samples}`,
    );
    demand(
      step.state > 0 && step.state <= LARGEST_STATE,
      `step: state must be from 1 to ${LARGEST_STATE} numbers, not ${step.state}`,
    );
  }
}

function checkGolden(manifest: Manifest): void {
  const { golden } = manifest;
  demand(
    1 <= golden.windows && golden.windows <= 1024,
    `there must be 1 to 1024 golden windows, not ${golden.windows}`,
  );
  const [least, most] = manifest.step ? [1, 1024] : [0, 0];
  demand(
    least <= golden.steps && golden.steps <= most,
    `there must be ${least} to ${most} golden steps, not ${golden.steps}`,
  );
  const outputs = [...outputsOf(manifest).keys()];
  for (const field of ["tolerance", "loose"] as const) {
    const limits = golden[field];
    const named = Object.keys(limits);
    demand(
      named.length === outputs.length && outputs.every((name) => Object.hasOwn(limits, name)),
      `golden: ${field} must name the outputs ${outputs.join(", ")}, not ` +
        (named.join(", ") || "none"),
    );
    demand(
      Object.values(limits).every((limit) => limit >= 0),
      `golden: ${field} must not be below 0`,
    );
  }
}
