/** What a manifest says of its tokens, held against its windows and itself. */

import type { Manifest, Tokens } from "./manifest.js";
import { demand, NAME, pattern, unique } from "./manifest_rules.js";
import { quoted } from "./words.js";

const DAY = 86_400; // seconds
const LARGEST_TOKENS = 2 ** 22; // numbers in all tokens of a window
const MOST_GROUPS = 256;
const MOST_SIZES = 16;

/** Throw BundleError for the first thing in `tokens` that contradicts the manifest. */
export function checkTokens(manifest: Manifest): void {
  const { tokens, channels, samples } = manifest;
  const allowed: readonly string[] = tokens ? ["mean", "sum"] : ["resample"];
  for (const { name, aggregation } of channels) {
    demand(
      allowed.includes(aggregation),
      `channel ${quoted(name)}: the aggregation is ${quoted(aggregation)}, and in a bundle ` +
        `with${tokens ? "" : "out"} tokens it is ${allowed.join(" or ")}`,
    );
  }
  if (!tokens) return;
  demand(
    !manifest.baseline && !manifest.step,
    "a bundle with tokens has neither a baseline nor a step",
  );
  checkDay(manifest.rate, samples);
  demand(
    tokens.patch > 0 && tokens.patch < samples && samples % tokens.patch === 0,
    `tokens: a patch must divide the ${samples} grid points of a window and be less, not be ` +
      `${tokens.patch}`,
  );
  const names = channels.map((channel) => channel.name);
  checkGroups(tokens, names);
  const count = (samples / tokens.patch) * tokens.groups.length;
  demand(
    tokens.width > 0 && tokens.width <= Math.floor(LARGEST_TOKENS / count),
    `tokens: width must be above 0, and ${count} tokens at most ${LARGEST_TOKENS} numbers, not ` +
      `${tokens.width} each`,
  );
  checkSizes(tokens.sizes, count);
  demand(
    tokens.interpolated === null || names.includes(tokens.interpolated),
    `tokens: interpolated is ${quoted(tokens.interpolated ?? "")}, but the channels are ` +
      names.join(", "),
  );
}

function checkDay(rate: number, samples: number): void {
  const period = Math.round(1 / Math.max(rate, 1 / DAY));
  demand(
    period > 0 && rate === 1 / period,
    `a bundle with tokens has grid points that are whole seconds apart, not ${1 / rate}`,
  );
  demand(
    samples * period === DAY,
    `a bundle with tokens has windows of a day (${DAY} s), not of ${samples} grid points each ` +
      `${period} s`,
  );
}

function checkGroups({ groups, patch }: Tokens, names: readonly string[]): void {
  demand(
    groups.length > 0 && groups.length <= MOST_GROUPS,
    `tokens: there must be 1 to ${MOST_GROUPS} groups, not ${groups.length}`,
  );
  unique("group", groups.map((group) => group.name));
  for (const group of groups) {
    const where = `group ${quoted(group.name)}`;
    pattern("a group's name", group.name, NAME);
    demand(group.channels.length > 0, `${where} must have a channel`);
    demand(
      group.least > 0 && group.least <= patch,
      `${where}: least must be from 1 to the ${patch} grid points of a patch, not ${group.least}`,
    );
  }
  const grouped = groups.flatMap((group) => group.channels);
  demand(
    [...grouped].sort().join("\n") === [...names].sort().join("\n"),
    `tokens: every channel must be in one group: the channels are ${names.join(", ")}, those of ` +
      `the groups ${grouped.join(", ")}`,
  );
}

function checkSizes(sizes: readonly number[], count: number): void {
  demand(
    sizes.length > 0 && sizes.length <= MOST_SIZES,
    `tokens: there must be 1 to ${MOST_SIZES} sizes, not ${sizes.length}`,
  );
  const ascend = sizes.every((size, k) => size > (sizes[k - 1] ?? 0));
  demand(
    ascend && sizes[sizes.length - 1] === count,
    `tokens: sizes must ascend from above 0 to all ${count} tokens, not be ${sizes.join(", ")}`,
  );
}
