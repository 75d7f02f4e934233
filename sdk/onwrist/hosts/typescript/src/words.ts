/** Values in, the words that a message shows them by out. */

/** A text in quotes, at most 80 characters of it, control characters escaped. */
export function quoted(text: string): string {
  const shown = [...text].slice(0, 80).join("");
  const plain = shown.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (c) => {
    const code = c.codePointAt(0) ?? 0;
    const digits = code < 256 ? 2 : 4;
    return `\\${digits === 2 ? "x" : "u"}${code.toString(16).padStart(digits, "0")}`;
  });
  return `'${plain}'`;
}

/** Any value as a message shows it. */
export function shown(value: unknown): string {
  return typeof value === "string" ? quoted(value) : String(value);
}

/** "a, b and c". */
export function listed(names: readonly string[]): string {
  const before = names.slice(0, -1);
  const last = names[names.length - 1] ?? "";
  return before.length ? `${before.join(", ")} and ${last}` : last;
}

/** A number with so many decimals, as `%f` prints it: of two as near, the even one. */
export function fixed(value: number, decimals: number): string {
  if (!Number.isFinite(value)) return general(value);
  return halfEven(value.toFixed(decimals), value.toFixed(decimals + 40), "");
}

/** A number with at most so many significant digits, as `%g` prints it. */
export function general(value: number, digits = 6): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  const rounded = value.toExponential(digits - 1);
  const exact = value.toExponential(Math.min(digits + 39, 100));
  const tail = rounded.slice(rounded.indexOf("e"));
  const [mantissa = "0", power = "0"] = halfEven(rounded, exact, tail).split("e");
  const exponent = Number(power);
  if (exponent >= -4 && exponent < digits) {
    return short(Number(`${mantissa}e${exponent}`).toFixed(digits - 1 - exponent));
  }
  const sign = exponent < 0 ? "-" : "+";
  return `${short(mantissa)}e${sign}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

/** JavaScript rounds a number half way between two up; C and Python take the even one. */
function halfEven(rounded: string, exact: string, tail: string): string {
  const body = rounded.slice(0, rounded.length - tail.length);
  const whole = body.includes(".") ? body.length : body.length + 1;
  const beyond = exact.slice(whole, tail ? exact.indexOf("e") : undefined);
  if (!/^50*$/.test(beyond)) return rounded;
  const truncated = exact.slice(0, body.length);
  const last = Number(truncated[truncated.length - 1]);
  return last % 2 === 0 ? truncated + tail : rounded;
}

function short(number: string): string {
  return number.includes(".") ? number.replace(/\.?0+$/, "") : number;
}
