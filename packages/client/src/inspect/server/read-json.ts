// Reads a request's body as JSON, up to a bound.
import type { IncomingMessage } from "node:http";
import { messageOf } from "../../errors.ts";
import { ApiError } from "./api-error.ts";

/** An edited body comes in base64, which makes 6 MiB of 8. */
const MAX_JSON_BYTES = 8 * 1024 * 1024;

/**
 * Reads a body that is a JSON object. A form cannot send this type, and a page of another origin has to ask first, which
 * nobody answers.
 *
 * @throws ApiError `type-unsupported`, `body-too-large`, `request-invalid`
 */
export async function readJson(
  request: IncomingMessage,
): Promise<Record<string, unknown>> {
  const type = request.headers["content-type"] ?? "";
  if (!/^application\/json\s*(;|$)/i.test(type))
    throw new ApiError(
      "type-unsupported",
      "Send the body as Content-Type: application/json.",
    );
  if (request.headers["content-encoding"] !== undefined)
    throw new ApiError("type-unsupported", "Send the body without a coding.");
  const bytes = await readBody(request);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new ApiError(
      "request-invalid",
      `The body is no JSON: ${messageOf(error)}.`,
    );
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new ApiError("request-invalid", "The body must be a JSON object.");
  return value as Record<string, unknown>;
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const tooLarge = new ApiError(
    "body-too-large",
    `The body is larger than ${MAX_JSON_BYTES} bytes.`,
    { limit: MAX_JSON_BYTES },
  );
  if (Number(request.headers["content-length"] ?? 0) > MAX_JSON_BYTES)
    throw tooLarge;
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    // Leaving the loop destroys the request otherwise, and with it the connection that the answer goes to.
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      const part = chunk as Buffer;
      bytes += part.length;
      if (bytes > MAX_JSON_BYTES) throw tooLarge;
      chunks.push(part);
    }
  } catch (error) {
    if (error === tooLarge) throw error;
    throw new ApiError("request-invalid", "The body ended too early.");
  }
  return Buffer.concat(chunks);
}
