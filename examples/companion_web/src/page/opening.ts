/** What a person chooses or drops in; a bundle or the files of a recording out. */
import type { NamedFile } from "../readers/recording";
import { byId } from "./dom";
import { chosen, dropped } from "./drop";

export function watchOpening(on: {
  bundle(file: File): void;
  recording(files: NamedFile[]): void;
  failure(error: unknown): void;
}): void {
  const open = (files: NamedFile[]): void => {
    const [first] = files;
    if (files.length === 1 && first?.path.endsWith(".onwrist")) on.bundle(first.file as File);
    else on.recording(files);
  };
  byId("model-file").addEventListener("change", ({ target }) => {
    const input = target as HTMLInputElement;
    if (input.files?.[0]) on.bundle(input.files[0]);
    input.value = ""; // the same file can be chosen again
  });
  for (const id of ["files", "folder"]) {
    byId(id).addEventListener("change", ({ target }) => {
      const input = target as HTMLInputElement;
      if (input.files?.length) open(chosen(input));
      input.value = "";
    });
  }
  const dragging = (over: boolean) => document.body.classList.toggle("dragging", over);
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    dragging(true);
  });
  document.addEventListener("dragleave", () => dragging(false));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    dragging(false);
    if (event.dataTransfer) dropped(event.dataTransfer).then(open).catch(on.failure);
  });
}
