// Reads server-sent events as they pass (HTML Standard, section 9.2.6 "Interpreting an event stream").
import { StringDecoder } from "node:string_decoder";

/** One event. */
export interface ServerEvent {
  readonly data: string;
  /** Its `event:` field; absent for `message`. */
  readonly event: string | undefined;
  /** Its `id:` field. */
  readonly id: string | undefined;
}

export interface EventReader {
  read(bytes: Buffer): void;
}

// Of an event. What is beyond is thrown away.
const MAX_EVENT_CHARS = 256 * 1_024;

export function createEventReader(
  onEvent: (event: ServerEvent) => void,
): EventReader {
  const decoder = new StringDecoder("utf8");
  let line = "";
  let isStart = true;
  let afterCr = false;
  let data: string[] = [];
  let dataChars = 0;
  let event: string | undefined;
  let id: string | undefined;

  return {
    read(bytes) {
      let text = decoder.write(bytes);
      if (text === "") return;
      if (isStart && text.startsWith("\uFEFF")) text = text.slice(1);
      isStart = false;
      // A line ends with CR, LF or both; both may come in two pieces.
      if (afterCr && text.startsWith("\n")) text = text.slice(1);
      afterCr = text.endsWith("\r");
      const lines = text.split(/\r\n|\n|\r/);
      const rest = lines.pop()!;
      for (const piece of lines) {
        takeLine(line + piece);
        line = "";
      }
      if (line.length < MAX_EVENT_CHARS) line += rest;
    },
  };

  function takeLine(text: string): void {
    if (text === "") return dispatch();
    const colon = text.indexOf(":");
    const name = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? "" : text.slice(colon + 1).replace(/^ /, "");
    if (name === "event") event = value;
    else if (name === "id" && !value.includes("\0")) id = value;
    else if (name === "data") {
      dataChars += value.length + 1;
      if (dataChars <= MAX_EVENT_CHARS) data.push(value);
    }
  }

  function dispatch(): void {
    const found = { data: data.join("\n"), event: event || undefined, id };
    const isEvent = data.length > 0;
    data = [];
    dataChars = 0;
    event = id = undefined;
    if (isEvent) onEvent(found);
  }
}
