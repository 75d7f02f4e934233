/** The two download buttons: predictions as CSV, and as JSON with what is proven of the model. */
import type { BundleFacts, Predicted, RecordingFacts } from "../protocol";
import { byId } from "./dom";
import { asCsv, asJson, download } from "./download";

export interface Shown {
  bundle: BundleFacts;
  /** Null where beats came live. */
  recording: RecordingFacts | null;
  predictions: readonly Predicted[];
  midnight: number;
}

export function watchSaving(shown: () => Shown | null): void {
  byId("csv").addEventListener("click", () => {
    const now = shown();
    if (!now) return;
    const { bundle, predictions, midnight } = now;
    download(`${stemOf(now)}.csv`, "text/csv", asCsv(predictions, bundle.manifest, midnight));
  });
  byId("json").addEventListener("click", () => {
    const now = shown();
    if (!now) return;
    const { manifest, hash, engine, verification } = now.bundle;
    const report = {
      model: { name: manifest.name, version: manifest.version, hash },
      engine,
      golden: verification,
      recording: now.recording?.name ?? "live",
      simulated: now.recording?.simulated ?? false,
      predictions: now.predictions.map(({ prediction }) =>
        asJson(prediction, manifest, now.midnight),
      ),
    };
    download(`${stemOf(now)}.json`, "application/json", JSON.stringify(report, null, 1));
  });
}

function stemOf({ recording, bundle }: Shown): string {
  return `${recording?.name ?? "live"}-${bundle.manifest.name}`;
}
