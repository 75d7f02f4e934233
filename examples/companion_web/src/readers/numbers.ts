/** Bytes in, lines of text out; cells in, numbers out; arrays that grow. */
import { AppError } from "../errors";

/**
 * The lines of a stream of UTF-8 without their ends, a batch for each chunk that arrives.
 *
 * Only one chunk is held, so that a file may be larger than memory.
 */
export async function* linesOf(
  where: string,
  bytes: ReadableStream<Uint8Array>,
): AsyncGenerator<string[]> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const reader = bytes.getReader();
  let rest = "";
  let line = 0;
  try {
    for (;;) {
      const { value, done } = await reader.read();
      let text: string;
      try {
        text = rest + (done ? decoder.decode() : decoder.decode(value, { stream: true }));
      } catch {
        throw new AppError(`${where}: not text after line ${line + 1}; save it as UTF-8`);
      }
      const lines = text.split("\n");
      const last = lines.pop()!; // "" after a file's last line end
      if (done && last) lines.push(last);
      rest = done ? "" : last;
      if (rest.length > 1 << 20) {
        throw new AppError(`${where}: line ${line + 1} is longer than 1 MiB; this is no table`);
      }
      line += lines.length;
      yield lines.map((each) => (each.endsWith("\r") ? each.slice(0, -1) : each));
      if (done) return;
    }
  } finally {
    reader.cancel().catch(() => undefined); // a stream that failed has told why already
  }
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/** A finite decimal number, or undefined for anything else. */
export function numberOf(cell: string): number | undefined {
  const text = cell.trim();
  return NUMBER.test(text) ? Number(text) : undefined;
}

/** Numbers that are appended one by one. */
export class Growing {
  length = 0;
  private array = new Float64Array(1024);

  push(value: number): void {
    if (this.length === this.array.length) {
      const larger = new Float64Array(2 * this.length);
      larger.set(this.array);
      this.array = larger;
    }
    this.array[this.length++] = value;
  }

  done(): Float64Array {
    return this.array.slice(0, this.length);
  }
}
