/** The table of predictions: the newest rows are shown, all of them can be downloaded. */
import type { Manifest, Task } from "@onwrist/stream";
import type { Predicted } from "../protocol";
import { dateOf } from "./days_table";
import { byId, element, setText } from "./dom";
import { answer, clock, inWords, percent, reasons, unused } from "./words";

const SHOWN = 100;

export class LogView {
  private manifest: Manifest | null = null;
  private origin = 0;
  private shown = 0;
  private titles: string[] = [];
  private readonly body = document.querySelector<HTMLElement>("#log tbody")!;
  private readonly head = document.querySelector<HTMLElement>("#log thead")!;

  show(manifest: Manifest, origin: number): void {
    [this.manifest, this.origin] = [manifest, origin];
    const first = manifest.tokens === null ? "time" : "date";
    const tasks = manifest.tasks.map(titleOf);
    this.titles = [first, ...tasks, "computed in, ms", "abstained, or without"];
    const header = element(
      "tr",
      {},
      ...this.titles.map((title) => element("th", { scope: "col" }, title)),
    );
    header.role = "row";
    for (const cell of header.cells) cell.role = "columnheader";
    this.head.replaceChildren(header);
    this.clear();
  }

  clear(): void {
    this.body.replaceChildren();
    this.shown = 0;
    this.count(0);
  }

  update(all: readonly Predicted[], midnight: number, anew: boolean): void {
    const manifest = this.manifest;
    if (!manifest) return;
    if (anew) this.clear();
    const fresh = all.slice(Math.max(this.shown, all.length - SHOWN));
    this.body.prepend(...fresh.map((each) => this.row(each, manifest, midnight)).reverse());
    while (this.body.childElementCount > SHOWN) this.body.lastElementChild!.remove();
    this.shown = all.length;
    this.count(all.length);
  }

  private count(all: number): void {
    byId<HTMLButtonElement>("csv").disabled = byId<HTMLButtonElement>("json").disabled = !all;
    const shown = all > SHOWN ? `, the newest ${SHOWN} are shown` : "";
    setText(byId("count"), all ? `${all} predictions${shown}` : "no prediction yet");
  }

  private row(
    { prediction, milliseconds }: Predicted,
    manifest: Manifest,
    midnight: number,
  ): HTMLElement {
    const start = prediction.start ?? 0;
    const time =
      manifest.tokens === null ? clock(start - this.origin) : dateOf(prediction, midnight);
    const answers = manifest.tasks.map((task) => {
      const result = prediction.tasks[task.name]!;
      const sure =
        result.abstained || result.confidence === null ? "" : ` ${percent(result.confidence)}`;
      return answer(result) + sure;
    });
    const why = [reasons(prediction, manifest), unused(prediction)].filter(Boolean).join("; ");
    const taken = milliseconds === null ? "" : milliseconds.toFixed(1);
    const row = element("tr");
    row.role = "row";
    [time, ...answers, taken, why].forEach((text, k) => {
      const cell = element("td", { role: "cell" }, text);
      cell.dataset.label = this.titles[k]; // on a phone a row is a block, and each cell says what it is
      row.append(cell);
    });
    return row;
  }
}

function titleOf(task: Task): string {
  return task.unit ? `${inWords(task.name)}, ${task.unit}` : inWords(task.name);
}
