/** Days of a bundle of days: each channel over a day, with what is the model's own marked. */
import type { Manifest } from "@onwrist/stream";
import type { Predicted } from "../protocol";
import { label, penOf, scaleOf, shade } from "./canvas";
import { dateOf, summaryOf } from "./days_table";
import { byId, element, setText } from "./dom";
import { inWords } from "./words";

export class DaysView {
  private days: Predicted[] = [];
  private manifest: Manifest | null = null;
  private midnight = 0;
  private canvases: HTMLCanvasElement[] = [];
  private readonly select = byId<HTMLSelectElement>("day");

  constructor() {
    const again = () => this.redraw();
    this.select.addEventListener("change", again);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    new ResizeObserver(again).observe(byId("day-charts"));
  }

  show(manifest: Manifest): void {
    this.manifest = manifest;
    this.days = [];
    this.select.replaceChildren();
    setText(byId("day-summary"), "No day yet.");
    this.canvases = manifest.channels.map(() => {
      const canvas = element("canvas");
      canvas.setAttribute("role", "img");
      return canvas;
    });
    byId("day-charts").replaceChildren(
      ...manifest.channels.map((channel, row) =>
        element(
          "div",
          { className: "panel" },
          element("h3", {}, `${inWords(channel.name)} (${channel.unit})`),
          this.canvases[row]!,
        ),
      ),
    );
  }

  update(days: Predicted[], midnight: number): void {
    const before = this.select.value;
    [this.days, this.midnight] = [days, midnight];
    const dates = days.map(({ prediction }) => dateOf(prediction, midnight));
    this.select.replaceChildren(...dates.map((date) => element("option", { value: date }, date)));
    if (dates.includes(before)) this.select.value = before;
    this.redraw();
  }

  /** The day that is shown. */
  get chosen(): Predicted | undefined {
    return this.days[Math.max(0, this.select.selectedIndex)];
  }

  private redraw(): void {
    const day = this.chosen;
    if (!this.manifest || !day) return;
    setText(byId("day-summary"), summaryOf(day.prediction, this.manifest));
    for (let row = 0; row < this.canvases.length; row++) this.draw(row, day);
  }

  private draw(row: number, { prediction }: Predicted): void {
    const manifest = this.manifest!;
    const channel = manifest.channels[row]!;
    const canvas = this.canvases[row]!;
    const samples = manifest.samples;
    const imputed = prediction.imputed;
    const share = Math.round(100 * (prediction.coverage[channel.name] ?? 0));
    canvas.setAttribute(
      "aria-label",
      `${inWords(channel.name)} over the day ${dateOf(prediction, this.midnight)}: ${share} % observed` +
        (imputed ? ", the rest is the model's own" : ""),
    );
    const pen = penOf(canvas);
    if (!pen) return;
    const x = scaleOf(0, samples, 0, pen.width);
    if (!imputed) {
      shade(pen, [[0, samples]], x);
      return;
    }
    const values = imputed.values.subarray(row * samples, (row + 1) * samples);
    const observed = imputed.observed.subarray(row * samples, (row + 1) * samples);
    const runs = runsOf(observed);
    shade(
      pen,
      runs.filter((run) => !run.observed).map(({ begin, end }) => [begin, end]),
      x,
      false,
    );
    let [low, high] = [Infinity, -Infinity];
    for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
    const y = scaleOf(low, high, pen.height - 20, 16);
    for (const { begin, end, observed: real } of runs) {
      pen.context.strokeStyle = pen.colour(real ? "line-1" : "line-2");
      pen.context.lineWidth = 1.5;
      pen.context.setLineDash(real ? [] : [4, 3]);
      pen.context.beginPath();
      // From the last point before, so that the line is whole.
      for (let k = Math.max(0, begin - 1); k < end; k++) {
        if (k === Math.max(0, begin - 1)) pen.context.moveTo(x(k + 0.5), y(values[k]!));
        else pen.context.lineTo(x(k + 0.5), y(values[k]!));
      }
      pen.context.stroke();
    }
    pen.context.setLineDash([]);
    label(pen, high.toFixed(0), 4, 13);
    label(pen, low.toFixed(0), 4, pen.height - 16);
    for (const hour of [6, 12, 18])
      label(pen, `${hour}:00`, x((hour / 24) * samples), pen.height - 3, "center");
  }
}

function runsOf(observed: Uint8Array): { begin: number; end: number; observed: boolean }[] {
  const runs: { begin: number; end: number; observed: boolean }[] = [];
  let begin = 0;
  for (let k = 1; k <= observed.length; k++) {
    if (k < observed.length && Boolean(observed[k]) === Boolean(observed[begin])) continue;
    runs.push({ begin, end: k, observed: Boolean(observed[begin]) });
    begin = k;
  }
  return runs;
}
