/**
 * The text of a JSON file in, its value out, and what JSON.parse does not tell.
 *
 * A key that stands twice is refused, as two readers would take different ones; and which
 * numbers are written as fractions is remembered, as a count is not 1.0.
 */

export interface Parsed {
  readonly value: unknown;
  /** Places such as `$.channels[0].rate` whose number has a point or an exponent. */
  readonly fractions: ReadonlySet<string>;
}

const DEEPEST = 64;
const STRING = /"(?:[^"\\]|\\.)*"/y;
const OTHER = /[^\s,\]}]+/y;
const SPACE = /\s*/y;

/**
 * Parse a JSON text.
 *
 * @throws SyntaxError where it is no JSON, nested too deep, or has a key twice.
 */
export function parseJson(text: string): Parsed {
  const value: unknown = JSON.parse(text);
  const fractions = new Set<string>();
  let at = 0;

  // The text is known to be JSON from here on.
  function token(pattern: RegExp): string {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0] ?? "";
    at += found.length;
    return found;
  }

  function walk(path: string, depth: number): void {
    if (depth > DEEPEST) throw new SyntaxError(`it is nested deeper than ${DEEPEST}`);
    token(SPACE);
    const first = text[at];
    if (first === "{") walkMembers(path, depth);
    else if (first === "[") walkItems(path, depth);
    else if (first === '"') token(STRING);
    else if (/^-?\d+[.eE]/.test(token(OTHER))) fractions.add(path);
  }

  function walkMembers(path: string, depth: number): void {
    const keys = new Set<string>();
    do {
      at++;
      token(SPACE);
      if (text[at] === "}") break;
      const key = JSON.parse(token(STRING)) as string;
      if (keys.has(key)) throw new SyntaxError(`key '${key}' appears twice`);
      keys.add(key);
      token(SPACE);
      at++; // the colon
      walk(`${path}.${key}`, depth + 1);
      token(SPACE);
    } while (text[at] === ",");
    at++;
  }

  function walkItems(path: string, depth: number): void {
    let index = 0;
    do {
      at++;
      token(SPACE);
      if (text[at] === "]") break;
      walk(`${path}[${index++}]`, depth + 1);
      token(SPACE);
    } while (text[at] === ",");
    at++;
  }

  walk("$", 0);
  return { value, fractions };
}
