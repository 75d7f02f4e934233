/**
 * The repair of time stamps: a channel's stamps in, those of its sampling clock out.
 *
 * A sensor samples by a steady clock, but samples often get their stamps where they arrive,
 * a little early or late. A stamp that is off the line through the stamps before it is moved
 * onto that line; regular stamps, whatever their drift, stay as they are to the bit.
 */

/** The line goes through the median of a stamp and up to so many before it. */
export const HISTORY = 14;
const STRAY = 1 / 16; // of a period: further off the line a stamp is moved
const FURTHEST = 7 / 16; // of a period that a stamp is moved: with its rounding below a half

/**
 * The stamps of one channel on the line of its clock.
 *
 * With p = 1 / rate, samples belong to one run if the steps between them are within p / 2 of
 * p. The line at sample i is the lower median of t[i - k] + k p over k = 0 ... 14, as far as
 * the run goes back. A stamp no more than p / 16 off the line stays; others are moved to it, by
 * 7 p / 16 at most, and not forward if the next sample follows within p / 2.
 */
export function repaired(times: Float64Array, rate: number): Float64Array {
  const period = 1 / rate;
  const off = offLine(times, period);
  if (!off) return times;
  return off.map((away, k) => {
    const time = times[k] as number;
    if (Math.abs(away) <= STRAY * period) return time;
    let moved = Math.max(Math.min(away, FURTHEST * period), -FURTHEST * period);
    const step = (times[k + 1] ?? Infinity) - time;
    if (step - period <= -period / 2) moved = Math.min(moved, 0);
    return moved + time;
  });
}

/** Which of the stamps are off their line by more than p / 16, from `since` on: how many. */
export function strays(times: Float64Array, rate: number): Uint8Array {
  const period = 1 / rate;
  const off = offLine(times, period);
  if (!off) return new Uint8Array(times.length);
  return Uint8Array.from(off, (away) => (Math.abs(away) > STRAY * period ? 1 : 0));
}

/** The line less the stamp of each sample; null if none can be off by p / 16. */
function offLine(times: Float64Array, period: number): Float64Array | null {
  const steady = (STRAY / HISTORY) * period; // so that no sum of 14 is off by p / 16
  let strays = false;
  for (let k = 1; k < times.length && !strays; k++) {
    const apart = Math.abs((times[k] as number) - (times[k - 1] as number) - period);
    strays = apart > steady && apart < period / 2;
  }
  if (!strays) return null;
  const off = new Float64Array(times.length);
  const lines = new Float64Array(HISTORY + 1);
  let begin = 0; // of the run
  for (let k = 0; k < times.length; k++) {
    const time = times[k] as number;
    if (k && Math.abs(time - (times[k - 1] as number) - period) >= period / 2) begin = k;
    const history = Math.min(k - begin, HISTORY);
    for (let ago = 0; ago <= history; ago++) {
      lines[ago] = (times[k - ago] as number) - time + ago * period;
    }
    const sorted = lines.subarray(0, history + 1).sort();
    off[k] = sorted[history >> 1] as number;
  }
  return off;
}
