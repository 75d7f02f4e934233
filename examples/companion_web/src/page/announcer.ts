/**
 * What holds now, for a screen reader: told when it changed and at most every ten seconds, so
 * that a stream at sixteen times its speed does not chatter.
 */
import type { Manifest, Prediction } from "@onwrist/stream";
import { byId, setText } from "./dom";
import { answer, inWords } from "./words";

const EVERY = 10_000; // milliseconds

export class Announcer {
  private told = -Infinity;
  private next = "";
  private timer: ReturnType<typeof setTimeout> | undefined;

  clear(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.next = "";
  }

  take(prediction: Prediction, manifest: Manifest): void {
    this.next = manifest.tasks
      .map((task) => {
        const result = prediction.tasks[task.name]!;
        if (result.abstained) return `${inWords(task.name)}: no answer`;
        // Whole numbers: a tenth of a beat is not news.
        const what = result.value === null ? answer(result) : result.value.toFixed(0);
        return `${inWords(task.name)}: ${what}${result.unit ? ` ${result.unit}` : ""}`;
      })
      .join(", ");
    const wait = EVERY - (performance.now() - this.told);
    if (wait <= 0) this.say();
    else this.timer ??= setTimeout(() => this.say(), wait);
  }

  private say(): void {
    this.timer = undefined;
    this.told = performance.now();
    setText(byId("announcer"), this.next);
  }
}
