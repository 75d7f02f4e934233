/** The native rate of a channel, estimated from its time stamps, as sdk/onwrist/readers/rates.py does. */
import { AppError } from "../errors";

export function estimateRate(where: string, times: Float64Array): number {
  if (times.length < 2) {
    throw new AppError(`${where}: one sample tells no rate; give more of it`);
  }
  const intervals = new Float64Array(times.length - 1);
  for (let k = 0; k < intervals.length; k++) intervals[k] = times[k + 1]! - times[k]!;
  const sorted = intervals.slice().sort();
  const half = sorted.length >> 1;
  const median = sorted.length % 2 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
  let sum = 0;
  let count = 0;
  for (const interval of intervals) {
    if (Math.abs(interval - median) <= 0.5 * median) {
      sum += interval;
      count++;
    }
  }
  return count / sum;
}
