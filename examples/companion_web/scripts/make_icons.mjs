/**
 * Writes the app's icons into public/icons: one SVG, and PNGs of the same drawing.
 *
 *     node scripts/make_icons.mjs
 *
 * A wrist's pulse: a rounded square with one line of five corners, drawn by distance.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { deflateSync, crc32 } from "node:zlib";

const BACK = [0, 85, 140];
const LINE = [255, 255, 255];
const POINTS = [
  [0.16, 0.54],
  [0.34, 0.54],
  [0.44, 0.26],
  [0.56, 0.76],
  [0.66, 0.54],
  [0.84, 0.54],
];
const WIDTH = 0.07;
const CORNER = 0.22;

function distance([x, y]) {
  let least = Infinity;
  for (let k = 1; k < POINTS.length; k++) {
    const [[ax, ay], [bx, by]] = [POINTS[k - 1], POINTS[k]];
    const along = ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2);
    const at = Math.min(1, Math.max(0, along));
    least = Math.min(least, Math.hypot(x - ax - at * (bx - ax), y - ay - at * (by - ay)));
  }
  return least;
}

function png(size, { maskable = false } = {}) {
  const rows = Buffer.alloc(size * (1 + 4 * size));
  const edge = 1 / size;
  const scale = maskable ? 0.75 : 1; // the drawing stays within the part that is never cut off
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const [x, y] = [(column + 0.5) / size, (row + 0.5) / size];
      const drawn = distance([(x - 0.5) / scale + 0.5, (y - 0.5) / scale + 0.5]) * scale;
      const ink = Math.min(1, Math.max(0, ((WIDTH * scale) / 2 - drawn) / edge + 0.5));
      const [dx, dy] = [Math.abs(x - 0.5) - 0.5 + CORNER, Math.abs(y - 0.5) - 0.5 + CORNER];
      const outside = Math.hypot(Math.max(dx, 0), Math.max(dy, 0)) - CORNER;
      const alpha = maskable ? 1 : Math.min(1, Math.max(0, 0.5 - outside / edge));
      const at = row * (1 + 4 * size) + 1 + 4 * column;
      for (let k = 0; k < 3; k++) rows[at + k] = Math.round(BACK[k] + ink * (LINE[k] - BACK[k]));
      rows[at + 3] = Math.round(255 * alpha);
    }
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(size, 0);
  head.writeUInt32BE(size, 4);
  head.set([8, 6, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk("IHDR", head),
    chunk("IDAT", deflateSync(rows, { level: 9 })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function chunk(kind, data) {
  const body = Buffer.concat([Buffer.from(kind, "latin1"), data]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(data.length, 0);
  body.copy(framed, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}

const folder = new URL("../public/icons/", import.meta.url);
mkdirSync(folder, { recursive: true });
const rgb = (colour) => `#${colour.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
const path = POINTS.map(([x, y]) => `${(100 * x).toFixed(0)} ${(100 * y).toFixed(0)}`).join(" ");
writeFileSync(
  new URL("icon.svg", folder),
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">
  <rect width="100" height="100" rx="${100 * CORNER}" fill="${rgb(BACK)}"/>
  <polyline points="${path}" fill="none" stroke="${rgb(LINE)}" stroke-width="${100 * WIDTH}" stroke-linecap="round" stroke-linejoin="round"/>
</svg>
`,
);
for (const size of [180, 192, 512]) writeFileSync(new URL(`icon-${size}.png`, folder), png(size));
writeFileSync(new URL("icon-512-maskable.png", folder), png(512, { maskable: true }));
