/** What was dropped or chosen in, files with their paths out; folders are walked. */
import { AppError } from "../errors";
import type { NamedFile } from "../readers/recording";

const MOST_FILES = 200;

/** The files of an <input>; with its folder if one was chosen. */
export function chosen(input: HTMLInputElement): NamedFile[] {
  return Array.from(input.files ?? [], (file) => ({
    path: file.webkitRelativePath || file.name,
    file,
  }));
}

export async function dropped(transfer: DataTransfer): Promise<NamedFile[]> {
  // Entries must be asked for before anything is awaited: the list is emptied then.
  const entries = Array.from(transfer.items, (item) => item.webkitGetAsEntry()).filter(
    (x) => x !== null,
  );
  if (!entries.length) return Array.from(transfer.files, (file) => ({ path: file.name, file }));
  const files: NamedFile[] = [];
  for (const entry of entries) await walk(entry, files);
  return files;
}

async function walk(entry: FileSystemEntry, files: NamedFile[]): Promise<void> {
  if (files.length >= MOST_FILES) {
    throw new AppError(`more than ${MOST_FILES} files: drop the folder of one recording alone`);
  }
  if (entry.isFile) {
    const file = await new Promise<File>((done, failed) =>
      (entry as FileSystemFileEntry).file(done, failed),
    );
    files.push({ path: entry.fullPath.replace(/^\//, ""), file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    const batch = await new Promise<FileSystemEntry[]>((done, failed) =>
      reader.readEntries(done, failed),
    );
    if (!batch.length) return;
    for (const each of batch) await walk(each, files);
  }
}
