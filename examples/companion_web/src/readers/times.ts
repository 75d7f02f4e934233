/** A time cell in, seconds out: a number, or ISO 8601; one without a zone is UTC. */

const ISO =
  /^([+-]?\d{4})-(\d\d)(?:-(\d\d))?(?:[T ](\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,](\d{1,9}))?)?)?)?\s*(Z|[+-]\d\d(?::?\d\d)?)?$/i;

/** Seconds since the epoch in whole microseconds, or undefined if it is no such date. */
export function isoSeconds(cell: string): number | undefined {
  const match = ISO.exec(cell.trim());
  if (!match) return undefined;
  const [, year, month, day = "1", hour = "0", minute = "0", second = "0", part = "", zone] = match;
  const [y, mo, d] = [Number(year), Number(month), Number(day)];
  const [h, mi, s] = [Number(hour), Number(minute), Number(second)];
  const date = new Date(Date.UTC(y, mo - 1, d, h, mi, s));
  const whole = date.getTime() / 1000;
  const valid =
    date.getUTCFullYear() === y &&
    date.getUTCMonth() === mo - 1 &&
    date.getUTCDate() === d &&
    h < 24 &&
    mi < 60 &&
    s < 60;
  if (!valid) return undefined;
  const micro = Number(part.padEnd(6, "0").slice(0, 6));
  let offset = 0;
  if (zone && zone.toUpperCase() !== "Z") {
    const digits = zone.slice(1).replace(":", "");
    const minutes = 60 * Number(digits.slice(0, 2)) + Number(digits.slice(2) || 0);
    offset = (zone[0] === "-" ? -60 : 60) * minutes;
  }
  // One division, as numpy's from datetime64[us].
  return ((whole - offset) * 1e6 + micro) / 1e6;
}
