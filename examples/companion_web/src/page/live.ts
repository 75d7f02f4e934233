/** The strap's button and words; a person's choice of a strap, and its beats, out. */
import { messageOf } from "../errors";
import { Strap } from "./bluetooth";
import { byId, setText } from "./dom";
import { plausibleRate } from "./heart_rate";

export function watchStrap(on: {
  start(): void;
  beat(time: number, bpm: number): void;
  stop(): void;
}): void {
  const button = byId<HTMLButtonElement>("strap");
  const tell = (words: string) => setText(byId("strap-state"), words);
  const strap = new Strap((beat, time) => {
    const touching = beat.contact === false ? " (no skin contact)" : "";
    setText(byId("beat"), `${beat.bpm} bpm${touching}`);
    if (plausibleRate(beat)) on.beat(time, beat.bpm);
  }, tell);

  async function connect(): Promise<void> {
    await strap.choose();
    setText(button, "Disconnect the strap");
    on.start();
    await strap.stay();
  }

  button.addEventListener("click", () => {
    if (!strap.wanted) return void connect().catch((error: unknown) => tell(messageOf(error)));
    strap.disconnect();
    on.stop();
    setText(button, "Connect a heart-rate strap");
    setText(byId("beat"), "");
  });
}
