import { expect, it } from "vitest";
import { ControlRefusal } from "../refusal.ts";
import { ChannelClosed, createChannel, type Channel } from "./channel.ts";

type Message = { readonly say: string };

function usePair(answer: (message: Message) => unknown): {
  a: Channel<Message>;
  b: Channel<Message>;
  heard: string[];
  failures: unknown[];
} {
  const heard: string[] = [];
  const failures: unknown[] = [];
  const a: Channel<Message> = createChannel<Message, Message>(
    { send: (wire) => queueMicrotask(() => b.receive(wire)) },
    () => undefined,
    (error) => failures.push(error),
  );
  const b: Channel<Message> = createChannel<Message, Message>(
    { send: (wire) => queueMicrotask(() => a.receive(wire)) },
    (message) => {
      heard.push(message.say);
      return answer(message);
    },
    (error) => failures.push(error),
  );
  return { a, b, heard, failures };
}

it("gives each question its own answer, in whatever order they come, and takes messages in theirs", async () => {
  const waiting: (() => void)[] = [];
  const { a, heard } = usePair(
    ({ say }) =>
      new Promise((resolve) => waiting.push(() => resolve(`${say}!`))),
  );
  const [one, two] = [a.ask({ say: "one" }), a.ask({ say: "two" })];
  a.tell({ say: "three" });
  while (waiting.length < 3) await Promise.resolve();
  expect(heard).toEqual(["one", "two", "three"]);
  waiting[1]!();
  expect(await two).toBe("two!");
  waiting[0]!();
  expect(await one).toBe("one!");
});

it("passes on why there is no answer", async () => {
  const { a } = usePair(({ say }) => {
    throw say === "taken"
      ? new ControlRefusal("name-taken", "It is taken.")
      : new TypeError("a bug");
  });
  const refusal = await a.ask({ say: "taken" }).catch((e: unknown) => e);
  expect(refusal).toBeInstanceOf(ControlRefusal);
  expect(refusal).toMatchObject({
    code: "name-taken",
    message: "It is taken.",
  });
  const bug = await a.ask({ say: "x" }).catch((e: unknown) => e);
  expect(bug).not.toBeInstanceOf(ControlRefusal);
  expect(bug).toMatchObject({ message: "a bug" });
});

it("leaves nobody waiting when the other end is gone", async () => {
  const { a } = usePair(() => new Promise(() => {}));
  const asked = a.ask({ say: "well?" });
  a.close();
  await expect(asked).rejects.toBeInstanceOf(ChannelClosed);
  await expect(a.ask({ say: "still?" })).rejects.toBeInstanceOf(ChannelClosed);
});

it("goes on behind a message that could not be taken, whatever it was", async () => {
  const { a, b, heard, failures } = usePair(({ say }) => {
    if (say === "now") throw new Error("thrown");
    if (say === "later") return Promise.reject(new Error("rejected"));
    return `${say}!`;
  });
  a.tell({ say: "now" });
  a.tell({ say: "later" });
  for (const wire of [null, 7, {}, { re: 99 }, { re: "x", e: 1 }])
    b.receive(wire);
  expect(await a.ask({ say: "still there" })).toBe("still there!");
  expect(heard).toEqual(["now", "later", "still there"]);
  const texts = failures.map((error) => (error as Error).message);
  // Nothing at all, and two messages that say nothing.
  expect(texts).toHaveLength(5);
  expect(texts).toEqual(expect.arrayContaining(["thrown", "rejected"]));
});
