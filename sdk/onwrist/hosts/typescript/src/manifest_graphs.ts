/** The graphs and files that a manifest names, held against what it describes besides. */

import { CARD_FILE, imputes, MANIFEST_FILE, PARITY_FILE, sensorsOf } from "./manifest.js";
import type { Manifest, Role } from "./manifest.js";
import { demand, pattern, unique } from "./manifest_rules.js";
import { FILE_NAME } from "./strict_zip.js";
import { quoted } from "./words.js";

const SHA256 = /^[0-9a-f]{64}$/;

/** Throw BundleError unless there are just the graphs and files that are described. */
export function checkGraphs(manifest: Manifest): void {
  checkSensors(manifest);
  checkRoles(manifest);
  checkFiles(manifest);
}

/** A graph that senses is of a sensor, and there is one of each, in each kind. */
function checkSensors(manifest: Manifest): void {
  const sensors = sensorsOf(manifest);
  for (const { file, role, sensor } of manifest.graphs) {
    demand(
      (role === "sense") === (sensor !== null),
      `${quoted(file)}: a graph has a sensor if and only if its role is 'sense'`,
    );
    demand(
      sensor === null || sensors.includes(sensor),
      `${quoted(file)} is of the sensor ${quoted(sensor ?? "")}, but the sensors are ` +
        sensors.join(", "),
    );
  }
  const senses = manifest.graphs.filter((graph) => graph.role === "sense");
  for (const { format, activations } of senses) {
    const alike = senses.filter((g) => g.format === format && g.activations === activations);
    const lacking = sensors.filter((sensor) => !alike.some((graph) => graph.sensor === sensor));
    demand(
      !lacking.length,
      `there are ${format} graphs with ${activations} activations that sense, but none of ` +
        lacking.join(", "),
    );
  }
}

/** The graphs are those that the manifest asks for, in each format. */
function checkRoles(manifest: Manifest): void {
  const tokens = manifest.tokens !== null;
  const fusion = manifest.fusion !== null;
  const roles: readonly (readonly [Role, string, boolean, string])[] = [
    ["window", "of a window", !(tokens || fusion), "neither `tokens` nor `fusion` is given"],
    ["step", "of a step", manifest.step !== null, "`step` describes them"],
    ["embed", "that embed", tokens, "`tokens` is given"],
    ["encode", "that encode", tokens, "`tokens` is given"],
    ["sense", "that sense", fusion, "`fusion` is given"],
    ["fuse", "that fuse", fusion, "`fusion` is given"],
    [
      "decode",
      "that decode",
      imputes(manifest),
      "`tokens.interpolated` is given or `fusion` restores",
    ],
  ];
  const held = new Set(manifest.graphs.map((graph) => graph.format));
  for (const [role, what, asked, when] of roles) {
    const mine = manifest.graphs.filter((graph) => graph.role === role);
    const formats = new Set(mine.map((graph) => graph.format));
    demand(formats.size > 0 === asked, `there must be graphs ${what} if and only if ${when}`);
    const lacking = [...held].filter((format) => !formats.has(format)).sort();
    demand(
      !(tokens || fusion) || !asked || !lacking.length,
      `there are graphs of ${lacking.join(" and ")}, but none ${what}`,
    );
  }
}

function checkFiles(manifest: Manifest): void {
  const { graphs, golden, members } = manifest;
  const kinds = graphs.map((g) => [g.role, g.format, g.activations, g.sensor].join(", "));
  const alike = `two graphs are of the same kind: ${kinds.join("; ")}`;
  demand(new Set(kinds).size === kinds.length, alike);
  const named = [...graphs.map((graph) => graph.file), golden.file, PARITY_FILE, CARD_FILE];
  for (const name of named) pattern("a file's name", name, FILE_NAME);
  unique("file", named);
  demand(!named.includes(MANIFEST_FILE), "it cannot name itself as a member");
  const absent = named.filter((name) => !Object.hasOwn(members, name)).sort();
  demand(!absent.length, `members lists no ${absent.join(", ")}`);
  const idle = Object.keys(members).filter((name) => !named.includes(name));
  demand(!idle.length, `nothing refers to the member ${idle.map(quoted).join(", ")}`);
  for (const [name, member] of Object.entries(members)) {
    demand(member.bytes >= 0, `member ${quoted(name)}: ${member.bytes} is no size`);
    pattern(`member ${quoted(name)}: sha256`, member.sha256, SHA256);
  }
}
