/** A canvas in, sharp on every screen, with the colours of the page's theme; lines and gaps out. */

export interface Pen {
  context: CanvasRenderingContext2D;
  width: number;
  height: number;
  colour(name: string): string;
}

/** Clear a canvas and give what to draw with, in CSS pixels. */
export function penOf(canvas: HTMLCanvasElement): Pen | null {
  const { clientWidth: width, clientHeight: height } = canvas;
  const context = canvas.getContext("2d");
  if (!context || !width || !height) return null;
  const scale = Math.min(3, window.devicePixelRatio || 1);
  const [across, down] = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== across || canvas.height !== down) {
    [canvas.width, canvas.height] = [across, down];
  }
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = "12px system-ui, sans-serif";
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return { context, width, height, colour };
}

export type Scale = (value: number) => number;

/** From [low, high] to [from, to]; one value goes to the middle. */
export function scaleOf(low: number, high: number, from: number, to: number): Scale {
  const span = high - low;
  return (value) => (span > 0 ? from + ((value - low) / span) * (to - from) : (from + to) / 2);
}

/** Where a signal is further than one sampling period from any sample, as plots.py shades it. */
export function gapsOf(
  times: Float64Array,
  values: Float32Array,
  rate: number,
  start: number,
  end: number,
): [number, number][] {
  const period = 1 / rate;
  const gaps: [number, number][] = [];
  let last = start - period;
  for (let k = firstAfter(times, start - period); k < times.length; k++) {
    const time = times[k]!;
    if (time > end + period) break;
    if (Number.isNaN(values[k]!)) continue;
    if (time - last > 2.001 * period) gaps.push([last + period, time - period]);
    last = time;
  }
  if (end + period - last > 2.001 * period) gaps.push([last + period, end]);
  return gaps;
}

/** The index of the first sample after `time`. */
export function firstAfter(times: Float64Array, time: number): number {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle]! > time) high = middle;
    else low = middle + 1;
  }
  return low;
}

export function shade(pen: Pen, gaps: [number, number][], x: Scale, words = true): void {
  const { context, height } = pen;
  for (const [begin, end] of gaps) {
    const [left, right] = [x(begin), x(end)];
    context.globalAlpha = Number(pen.colour("gap-share"));
    context.fillStyle = pen.colour("gap");
    context.fillRect(left, 0, right - left, height);
    context.globalAlpha = 1;
    if (words && right - left > 60) {
      context.fillStyle = pen.colour("text");
      context.textAlign = "center";
      context.fillText("no data", (left + right) / 2, height - 6);
    }
  }
}

export function label(
  pen: Pen,
  text: string,
  x: number,
  y: number,
  align: CanvasTextAlign = "left",
): void {
  const { context } = pen;
  context.textAlign = align;
  const width = context.measureText(text).width;
  const left = align === "right" ? x - width : align === "center" ? x - width / 2 : x;
  context.globalAlpha = 0.8;
  context.fillStyle = pen.colour("back");
  context.fillRect(left - 2, y - 11, width + 4, 14);
  context.globalAlpha = 1;
  context.fillStyle = pen.colour("text");
  context.fillText(text, x, y);
}
