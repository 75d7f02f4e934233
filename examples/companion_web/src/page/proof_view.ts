/** What is proven of the model: its hash, and the golden vectors replayed here. */
import type { BundleFacts } from "../protocol";
import { byId, element, setText } from "./dom";
import { inWords } from "./words";

export function showProof(facts: BundleFacts): void {
  const { manifest, verification, hash, engine, bytes, seconds } = facts;
  const proof = byId("proof");
  proof.dataset.state = verification ? "good" : "other";
  const title = `${manifest.name} ${manifest.version}`;
  if (!verification) {
    setText(proof, `${title}: computed by onwrist serve, which proves itself when it starts.`);
  } else {
    const steps = verification.steps ? ` and ${verification.steps} steps` : "";
    setText(
      proof,
      `${title}: hashes right, golden vectors reproduced in this browser ` +
        `(${verification.windows} windows${steps}).`,
    );
  }
  const rows: [string, string][] = [
    ["Model", `${title}: ${manifest.description}`],
    ["Licence", manifest.licence],
    ["Hash (SHA-256)", hash],
    ["Computed by", engine],
    [
      "Takes",
      manifest.channels.map((channel) => `${inWords(channel.name)} (${channel.unit})`).join(", "),
    ],
    ["Window", `${manifest.samples} points at ${Number(manifest.rate.toPrecision(4))} Hz`],
  ];
  if (bytes)
    rows.push(["Opened and proven", `${(bytes / 1e6).toFixed(1)} MB in ${seconds.toFixed(1)} s`]);
  byId("facts").replaceChildren(
    ...rows.flatMap(([term, text]) => [element("dt", {}, term), element("dd", {}, text)]),
  );
  const table = byId<HTMLTableElement>("golden");
  table.hidden = !verification;
  table.tBodies[0]!.replaceChildren(
    ...Object.entries(verification?.outputs ?? {}).map(([output, difference]) =>
      element(
        "tr",
        {},
        element("th", { scope: "row" }, inWords(output)),
        element("td", { className: "number" }, short(difference)),
        element("td", { className: "number" }, short(verification?.tolerance[output] ?? 0)),
      ),
    ),
  );
}

export function showNoProof(message: string): void {
  const proof = byId("proof");
  proof.dataset.state = "bad";
  setText(proof, `Not opened: ${message}`);
  byId("facts").replaceChildren();
  byId("golden").hidden = true;
}

function short(value: number): string {
  return value === 0 ? "0" : value.toPrecision(2);
}
