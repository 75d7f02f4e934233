/**
 * Web Bluetooth's heart-rate service (0x180D): beats per minute as they come, reconnecting when
 * the strap goes out of reach, and plain words where there is no Bluetooth or it was refused.
 */
import { AppError } from "../errors";
import { parseBeat, type Beat } from "./heart_rate";

// The part of Web Bluetooth that is used; TypeScript's own library does not have it.
interface Characteristic extends EventTarget {
  readonly value?: DataView;
  startNotifications(): Promise<Characteristic>;
}
interface Server {
  readonly connected: boolean;
  connect(): Promise<Server>;
  disconnect(): void;
  getPrimaryService(
    name: string,
  ): Promise<{ getCharacteristic(name: string): Promise<Characteristic> }>;
}
interface Device extends EventTarget {
  readonly name?: string;
  readonly gatt?: Server;
}
interface Bluetooth {
  getAvailability?(): Promise<boolean>;
  requestDevice(options: { filters: { services: string[] }[] }): Promise<Device>;
}

const RETRIES = [1, 2, 5, 10, 20, 30]; // seconds; the last for as long as it takes

export class Strap {
  /** Whether a strap was chosen, and is to be listened to. */
  wanted = false;
  private device: Device | null = null;

  constructor(
    private readonly onBeat: (beat: Beat, time: number) => void,
    private readonly onState: (words: string) => void,
  ) {}

  /** Ask the person for a strap. Must be called from a click. */
  async choose(): Promise<void> {
    const bluetooth = (navigator as { bluetooth?: Bluetooth }).bluetooth;
    if (!bluetooth) {
      throw new AppError(
        "This browser has no Web Bluetooth: use Chrome or Edge on Android, Windows, macOS, Linux or " +
          "ChromeOS (not on iPhone), over https or on localhost.",
      );
    }
    if ((await bluetooth.getAvailability?.()) === false) {
      throw new AppError("Bluetooth is off or this device has none: switch it on and try again.");
    }
    try {
      this.device = await bluetooth.requestDevice({ filters: [{ services: ["heart_rate"] }] });
    } catch (error) {
      throw new AppError(whyRefused(error));
    }
    this.wanted = true;
    this.device.addEventListener("gattserverdisconnected", () => void this.stay());
  }

  disconnect(): void {
    this.wanted = false;
    this.device?.gatt?.disconnect();
    this.device = null;
    this.onState("Not connected.");
  }

  /** Connect to the strap that was chosen, and try again for as long as it is wanted. */
  async stay(): Promise<void> {
    for (let attempt = 0; this.wanted; attempt++) {
      const name = this.device?.name ?? "The strap";
      try {
        this.onState(attempt ? `${name} is out of reach: trying again.` : `Connecting to ${name}.`);
        await this.listen();
        this.onState(`${name} is connected.`);
        return;
      } catch {
        const wait = RETRIES[Math.min(attempt, RETRIES.length - 1)]!;
        this.onState(`${name} does not answer: wear it, bring it nearer; next try in ${wait} s.`);
        await new Promise((done) => setTimeout(done, 1000 * wait));
      }
    }
  }

  private async listen(): Promise<void> {
    const server = await this.device!.gatt!.connect();
    const service = await server.getPrimaryService("heart_rate");
    const rate = await service.getCharacteristic("heart_rate_measurement");
    rate.addEventListener("characteristicvaluechanged", () => {
      const beat = rate.value && parseBeat(rate.value);
      if (beat) this.onBeat(beat, Date.now() / 1000);
    });
    await rate.startNotifications();
  }
}

function whyRefused(error: unknown): string {
  const name = error instanceof Error ? error.name : "";
  if (name === "NotFoundError") {
    return "No strap was chosen: wear it (the electrodes wet), end its link to other apps, and try again.";
  }
  if (name === "NotAllowedError" || name === "SecurityError") {
    return (
      "Bluetooth was refused: allow it for this site in the browser's settings (on Android also " +
      "nearby devices or location for the browser), and try again."
    );
  }
  return `Bluetooth cannot be used (${String(error)}): switch it off and on, and try again.`;
}
