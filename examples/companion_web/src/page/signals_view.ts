/** The last seconds of each sensor as lines with gaps shaded; its coverage and staleness in words. */
import type { Manifest } from "@onwrist/stream";
import type { RecordingFacts, Status } from "../protocol";
import type { Signal } from "../readers/recording";
import { firstAfter, gapsOf, label, penOf, scaleOf, shade } from "./canvas";
import { byId, element, setText } from "./dom";
import { covered, inWords } from "./words";

const SHOWN = 30; // seconds
const STALE = 2; // seconds from which staleness is told as such

interface Panel {
  sensor: string;
  unit: string;
  channels: string[];
  canvas: HTMLCanvasElement;
  state: HTMLElement;
}

export class SignalsView {
  private panels: Panel[] = [];
  private facts: RecordingFacts | null = null;
  private status: Status | null = null;
  private pending = false;

  constructor() {
    const again = () => this.redraw();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    new ResizeObserver(again).observe(byId("sensors"));
  }

  show(manifest: Manifest, facts: RecordingFacts): void {
    this.facts = facts;
    this.status = null;
    const groups = new Map<string, Panel>();
    for (const channel of manifest.channels) {
      const key = `${channel.sensor} (${channel.unit})`;
      let panel = groups.get(key);
      if (!panel) {
        const canvas = element("canvas");
        canvas.setAttribute("role", "img");
        panel = {
          sensor: channel.sensor,
          unit: channel.unit,
          channels: [],
          canvas,
          state: element("span", { className: "quiet" }),
        };
        groups.set(key, panel);
      }
      panel.channels.push(channel.name);
    }
    this.panels = [...groups.values()];
    byId("sensors").replaceChildren(
      ...this.panels.map((panel) => {
        const title = element("h3", {}, `${inWords(panel.sensor)} (${panel.unit})`);
        if (panel.channels.length > 1) {
          panel.channels.forEach((name, k) => {
            const axis = inWords(name.replace(`${panel.sensor}_`, ""));
            title.append(" ", element("span", { className: `line-${(k % 6) + 1}` }, axis));
          });
        }
        const heading = element("div", { className: "heading" }, title, panel.state);
        if (this.panels.length > 4) panel.canvas.classList.add("small");
        return element("div", { className: "panel" }, heading, panel.canvas);
      }),
    );
    this.redraw();
  }

  update(status: Status): void {
    this.status = status;
    this.redraw();
  }

  private redraw(): void {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      if (this.facts) for (const panel of this.panels) this.draw(panel, this.facts);
    });
  }

  private draw(panel: Panel, facts: RecordingFacts): void {
    const now = this.status?.position ?? facts.start;
    const words = this.words(panel, facts);
    setText(panel.state, words);
    panel.canvas.setAttribute(
      "aria-label",
      `Line of ${inWords(panel.sensor)} over the last ${SHOWN} seconds. ${words}`,
    );
    const pen = penOf(panel.canvas);
    if (!pen) return;
    const begin = Math.max(facts.start, now - SHOWN);
    const x = scaleOf(begin, begin + SHOWN, 0, pen.width);
    const signals = panel.channels.map((name) => facts.signals[name]);
    // Channels of a sensor arrive together, so the first one that is there speaks for all.
    const first = signals.find((signal) => signal !== undefined);
    const whole: [number, number][] = now > begin ? [[begin, now]] : [];
    shade(pen, first ? gapsOf(first.times, first.values, first.rate, begin, now) : whole, x);
    const [low, high] = rangeOf(signals, begin, now);
    const y = scaleOf(low, high, pen.height - 6, 6);
    signals.forEach((signal, k) => {
      if (signal) line(pen.context, signal, begin, now, x, y, pen.colour(`line-${(k % 6) + 1}`));
    });
    if (low <= high) {
      label(pen, String(Number(high.toPrecision(3))), 4, 14);
      label(pen, String(Number(low.toPrecision(3))), 4, pen.height - 5);
    }
    for (const event of facts.events) {
      if (event < begin || event > now) continue;
      pen.context.fillStyle = pen.colour("text");
      pen.context.fillRect(x(event), 0, 1, pen.height);
      label(pen, "button", x(event) + 3, 14);
    }
  }

  private words(panel: Panel, facts: RecordingFacts): string {
    if (!panel.channels.some((name) => facts.used.includes(name))) return "not in this recording";
    if (!this.status || this.status.position <= facts.start) return "not played yet";
    const shares = panel.channels
      .map((name) => this.status!.coverage[name])
      .filter((x) => x !== undefined);
    const ages = panel.channels.map((name) => this.status!.staleness[name] ?? Infinity);
    const age = Math.min(...ages);
    const least = shares.length ? `${covered(Math.min(...shares))} of the last window covered` : "";
    if (age === Infinity) return `${least}, no sample yet`;
    const seconds = age < 10 ? age.toFixed(1) : age.toFixed(0);
    return `${least}, last sample ${seconds} s behind${age > STALE ? ": stale" : ""}`;
  }
}

function rangeOf(signals: (Signal | undefined)[], begin: number, end: number): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const signal of signals) {
    if (!signal) continue;
    for (
      let k = firstAfter(signal.times, begin);
      k < signal.times.length && signal.times[k]! <= end;
      k++
    ) {
      const value = signal.values[k]!;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return [low, high];
}

function line(
  context: CanvasRenderingContext2D,
  signal: Signal,
  begin: number,
  end: number,
  x: (time: number) => number,
  y: (value: number) => number,
  colour: string,
): void {
  const { times, values, rate } = signal;
  context.strokeStyle = colour;
  context.lineWidth = 1.5;
  context.beginPath();
  let drawn = false;
  for (let k = firstAfter(times, begin); k < times.length && times[k]! <= end; k++) {
    const missing = Number.isNaN(values[k]!);
    const broken = k > 0 && times[k]! - times[k - 1]! > 2.001 / rate;
    if (!missing) {
      if (drawn && !broken) context.lineTo(x(times[k]!), y(values[k]!));
      else context.moveTo(x(times[k]!), y(values[k]!));
    }
    drawn = !missing;
  }
  context.stroke();
}
