// Which name a tunnel gets: the wanted one if its owner may have it, else a random one that nobody can guess.
import { explainInvalidName } from "@expose/protocol";
import { customAlphabet } from "nanoid";
import { ControlRefusal } from "../refusal.ts";

// No 0/o, 1/l/i: a person may have to read the name out. 14 of 31 letters and digits are 69 bits, so a stranger who
// tries a million names a second finds none of a thousand tunnels in ten thousand years.
const UNAMBIGUOUS = "23456789abcdefghjkmnpqrstuvwxyz";
const RANDOM_NAME_LENGTH = 14;

// Begins with a letter, so that no tool takes the name for a number.
const firstLetter = customAlphabet(UNAMBIGUOUS.slice(8), 1);
const otherLetters = customAlphabet(UNAMBIGUOUS, RANDOM_NAME_LENGTH - 1);

/** A fresh random name, a valid DNS label. */
export const randomName = (): string => firstLetter() + otherLetters();

/**
 * Checks that a name can be served at all, whoever asks for it.
 *
 * @throws ControlRefusal `name-invalid` or `name-reserved`
 */
export function checkName(name: string, reserved: ReadonlySet<string>): void {
  const problem = explainInvalidName(name);
  if (problem !== undefined)
    throw new ControlRefusal(
      "name-invalid",
      `"${name}" cannot be a name. ${problem}`,
    );
  if (reserved.has(name))
    throw new ControlRefusal(
      "name-reserved",
      `The name "${name}" is reserved on this edge; choose another.`,
    );
}
