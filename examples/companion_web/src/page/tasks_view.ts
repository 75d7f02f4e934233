/** Each task: a card of what holds now, and a chart of all answers so far. */
import type { Manifest, Task, TaskResult } from "@onwrist/stream";
import type { Predicted } from "../protocol";
import { label, penOf, scaleOf, type Pen } from "./canvas";
import { byId, element, setText } from "./dom";
import { answer, inWords, percent } from "./words";

const LABELLED = 48; // pixels from which a label is written over its window

interface Card {
  task: Task;
  value: HTMLElement;
  confidence: HTMLElement;
  meter: HTMLMeterElement;
  reason: HTMLElement;
  canvas: HTMLCanvasElement;
}

export class TasksView {
  private cards: Card[] = [];
  private all: readonly Predicted[] = [];
  private span: [number, number] = [0, 1];
  private pending = false;

  constructor() {
    const again = () => this.redraw();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    new ResizeObserver(again).observe(byId("charts"));
  }

  show(manifest: Manifest): void {
    this.cards = manifest.tasks.map((task) => {
      const canvas = element("canvas");
      canvas.setAttribute("role", "img");
      const meter = element("meter", { min: 0, max: 1 });
      meter.setAttribute("aria-label", `Confidence of ${inWords(task.name)}`);
      const value = element("p", { className: "value" });
      const confidence = element("p", { className: "quiet" });
      return {
        task,
        canvas,
        meter,
        value,
        confidence,
        reason: element("p", { className: "reason" }),
      };
    });
    byId("cards").replaceChildren(
      ...this.cards.map(({ task, value, confidence, meter, reason }) =>
        element(
          "div",
          { className: "card", id: `card-${task.name}` },
          element("h3", {}, inWords(task.name)),
          value,
          meter,
          confidence,
          reason,
        ),
      ),
    );
    byId("charts").replaceChildren(
      ...this.cards.map(({ task, canvas }) =>
        element("div", { className: "panel" }, element("h3", {}, titleOf(task)), canvas),
      ),
    );
    this.update([], this.span);
  }

  update(all: readonly Predicted[], span: [number, number]): void {
    this.all = all;
    this.span = span;
    const last = all.at(-1)?.prediction;
    for (const card of this.cards) fill(card, last?.tasks[card.task.name]);
    this.redraw();
  }

  private redraw(): void {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      for (const card of this.cards) this.draw(card);
    });
  }

  private draw({ task, canvas }: Card): void {
    const results = this.all.map(({ prediction }) => prediction.tasks[task.name]!);
    const abstained = results.filter((result) => result.abstained).length;
    canvas.setAttribute(
      "aria-label",
      `Chart of ${inWords(task.name)} over time: ${results.length - abstained} answers, ${abstained} ` +
        "abstentions. The log of predictions has them in words.",
    );
    const pen = penOf(canvas);
    if (!pen) return;
    const [start, end] = this.span;
    const x = scaleOf(start, end, 8, pen.width - 8);
    const values = results.map((result) => heightOf(task, result));
    const known = values.filter((value) => value !== null);
    const regression = task.kind === "regression";
    const pad = 0.1 * (Math.max(...known) - Math.min(...known)) || 1;
    const [low, high] = regression ? [Math.min(...known) - pad, Math.max(...known) + pad] : [0, 1];
    const y = scaleOf(low, high, pen.height - 18, 18);
    if (!regression) {
      pen.context.fillStyle = pen.colour("edge");
      pen.context.fillRect(0, y(0.5), pen.width, 0.5);
    }
    let labelled = -Infinity;
    this.all.forEach(({ prediction }, k) => {
      const result = results[k]!;
      const middle = x(((prediction.start ?? 0) + (prediction.end ?? 0)) / 2);
      const value = values[k] ?? null;
      if (value === null) return cross(pen, middle);
      dot(pen, middle, y(value), result.confidence ?? 1);
      if (task.labels.length > 2 && middle - labelled > 2 * LABELLED) {
        label(pen, String(result.label), middle, Math.max(14, y(value) - 10), "center");
        labelled = middle;
      }
    });
    if (known.length) {
      label(pen, axis(task, high), 4, 13);
      label(pen, axis(task, low), 4, pen.height - 4);
    }
  }
}

function titleOf(task: Task): string {
  const name = inWords(task.name);
  if (task.kind === "regression") return `${name} (${task.unit})`;
  return task.labels.length === 2
    ? `${name}: probability of ${task.labels[1]}`
    : `${name}: confidence`;
}

/** Of two labels the probability of the second says it all; of more, how sure the answer is. */
function heightOf(task: Task, result: TaskResult): number | null {
  if (result.abstained) return null;
  if (task.kind === "regression") return result.value;
  if (task.labels.length === 2) return result.probabilities?.[task.labels[1]!] ?? null;
  return result.confidence;
}

function axis(task: Task, value: number): string {
  return task.kind === "regression" ? value.toFixed(0) : value.toFixed(1);
}

function fill(card: Card, result: TaskResult | undefined): void {
  if (!result) {
    setText(card.value, "-");
    setText(card.confidence, "no prediction yet");
    setText(card.reason, "");
    card.meter.value = 0;
    return;
  }
  const unit = result.abstained || !result.unit ? "" : ` ${result.unit}`;
  setText(card.value, result.abstained ? "abstained" : answer(result) + unit);
  const confidence = result.confidence;
  card.meter.value = confidence ?? 0;
  setText(
    card.confidence,
    confidence === null ? "nothing was computed" : `confidence ${percent(confidence)}`,
  );
  setText(card.reason, result.reason ?? "");
}

function dot(pen: Pen, x: number, y: number, confidence: number): void {
  const { context } = pen;
  context.beginPath();
  context.arc(x, y, 4, 0, 2 * Math.PI);
  context.globalAlpha = 0.25 + 0.75 * confidence;
  context.fillStyle = pen.colour("line-1");
  context.fill();
  context.globalAlpha = 1;
  context.strokeStyle = pen.colour("text");
  context.lineWidth = 0.7;
  context.stroke();
}

/** Along the lower edge, so that no height could be read as a value. */
function cross(pen: Pen, x: number): void {
  const { context } = pen;
  const y = pen.height - 8;
  context.strokeStyle = pen.colour("line-2");
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(x - 4, y - 4);
  context.lineTo(x + 4, y + 4);
  context.moveTo(x - 4, y + 4);
  context.lineTo(x + 4, y - 4);
  context.stroke();
}
