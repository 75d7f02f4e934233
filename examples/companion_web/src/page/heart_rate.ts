/**
 * Bytes of a Bluetooth heart-rate measurement (characteristic 0x2A37) in, a beat out.
 *
 * Heart Rate Service 1.0, 3.1: flags, the rate in 8 or 16 bits, energy if flagged, then
 * intervals between beats in 1/1024 s.
 */
export interface Beat {
  bpm: number;
  /** Whether the sensor touches skin; null where it cannot tell. */
  contact: boolean | null;
  /** Seconds between beats, the oldest first. */
  intervals: number[];
}

/** The measurement, or null where the bytes end before they should. */
export function parseBeat(view: DataView): Beat | null {
  if (view.byteLength < 2) return null;
  const flags = view.getUint8(0);
  const wide = (flags & 1) !== 0;
  let at = wide ? 3 : 2;
  if (view.byteLength < at) return null;
  const bpm = wide ? view.getUint16(1, true) : view.getUint8(1);
  const contact = flags & 4 ? (flags & 2) !== 0 : null;
  if (flags & 8) at += 2; // energy expended
  const intervals: number[] = [];
  if (flags & 16) {
    for (; at + 2 <= view.byteLength; at += 2) intervals.push(view.getUint16(at, true) / 1024);
  }
  return { bpm, contact, intervals };
}

/** Whether a rate is of a pulse: 0 says that none was found. */
export function plausibleRate(beat: Beat): boolean {
  return beat.bpm >= 25 && beat.bpm <= 250 && beat.contact !== false;
}
