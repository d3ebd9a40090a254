// Saves an answer of the API as a file.
import { callBytes } from "../api/call.ts";

/** How long a browser may take to begin with the download. */
const KEPT_MS = 60_000;

/** @throws ApiError: then nothing is saved */
export async function download(path: string, name: string): Promise<void> {
  const { bytes } = await callBytes(path);
  // As what they are is not for the browser to know: it saves, and opens nothing.
  const url = URL.createObjectURL(
    new Blob([bytes], { type: "application/octet-stream" }),
  );
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), KEPT_MS);
}
