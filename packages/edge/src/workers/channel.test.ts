import { expect, it } from "vitest";
import { ControlRefusal } from "../refusal.ts";
import { ChannelClosed, createChannel, type Channel } from "./channel.ts";

type Message = { readonly say: string };

function usePair(answer: (message: Message) => unknown): {
  a: Channel<Message>;
  b: Channel<Message>;
  heard: string[];
} {
  const heard: string[] = [];
  const a: Channel<Message> = createChannel<Message, Message>(
    { send: (wire) => queueMicrotask(() => b.receive(wire)) },
    () => undefined,
  );
  const b: Channel<Message> = createChannel<Message, Message>(
    { send: (wire) => queueMicrotask(() => a.receive(wire)) },
    (message) => {
      heard.push(message.say);
      return answer(message);
    },
  );
  return { a, b, heard };
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
