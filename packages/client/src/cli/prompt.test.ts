import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { readAnswer } from "./prompt.ts";

function terminal() {
  const modes: boolean[] = [];
  const input = Object.assign(new EventEmitter(), {
    setRawMode: (on: boolean) => modes.push(on),
    resume() {},
    pause() {},
  });
  let shown = "";
  return {
    input,
    modes,
    say: (text: string) => void (shown += text),
    get shown() {
      return shown;
    },
    type: (text: string) => input.emit("data", Buffer.from(text)),
  };
}

test("a secret is read to the end of the line and never shown", async () => {
  const tty = terminal();
  const answer = readAnswer(tty.input, tty.say, false);
  tty.type("geh");
  tty.type("eim ü\r");
  expect(await answer).toBe("geheim ü");
  expect(tty.shown).toBe("\n");
  expect(tty.modes).toEqual([true, false]);
  expect(tty.input.listenerCount("data")).toBe(0);
});

test("an open answer is echoed, and can be corrected", async () => {
  const tty = terminal();
  const answer = readAnswer(tty.input, tty.say, true);
  tty.type("nop\x7f\x7f\x7f\x7fyeah\x15yes\n");
  expect(await answer).toBe("yes");
  expect(tty.shown).toBe(
    `nop${"\b \b".repeat(3)}yeah${"\b \b".repeat(4)}yes\n`,
  );
});

test("characters whose bytes arrive apart are put together", async () => {
  const tty = terminal();
  const answer = readAnswer(tty.input, tty.say, false);
  const bytes = Buffer.from("é👍\r");
  for (const byte of bytes) tty.input.emit("data", Buffer.of(byte));
  expect(await answer).toBe("é👍");
});

test("Ctrl-D gives no answer and leaves raw mode", async () => {
  const tty = terminal();
  const answer = readAnswer(tty.input, tty.say, false);
  tty.type("half\x04");
  expect(await answer).toBeUndefined();
  expect(tty.modes).toEqual([true, false]);
});

test("Ctrl-C gives no answer and is passed on as the signal it would have been", async () => {
  const tty = terminal();
  const interrupted = new Promise((resolve) => process.once("SIGINT", resolve));
  const answer = readAnswer(tty.input, tty.say, false);
  tty.type("half\x03");
  expect(await answer).toBeUndefined();
  expect(await interrupted).toBe("SIGINT");
  expect(tty.modes).toEqual([true, false]);
});
