// Keys that a person has opened with a passphrase. Kept while the caller keeps it: a tunnel that reconnects in the
// night must not ask again.
import type { ParsedKey } from "ssh2";
import { ExposeError } from "../errors.ts";
import type { Prompt } from "../options.ts";
import type { FileIdentity } from "./identity.ts";
import type { KeyFile } from "./key-file.ts";
import type { SshLog } from "./log.ts";

/** See the file's head. */
export interface Keyring {
  /** The private half of a file, when it is open or was opened before. */
  privateKeyOf(file: KeyFile): ParsedKey | undefined;
  /**
   * Asks for the passphrase of a locked key, three times at most.
   * @throws ExposeError `key-invalid` when nobody answers or the answers are wrong
   */
  unlock(
    identity: FileIdentity,
    ask: Prompt | undefined,
    log: SshLog,
  ): Promise<void>;
}

// As in ssh: NumberOfPasswordPrompts.
const MAX_TRIES = 3;

/** Makes an empty keyring. */
export function createKeyring(): Keyring {
  const opened = new Map<string, ParsedKey>();
  return {
    privateKeyOf: (file) => file.privateKey ?? opened.get(file.contentId),
    async unlock({ name, file }, prompt, log) {
      if (!prompt)
        throw new ExposeError(
          "key-invalid",
          `The key ${name} is locked by a passphrase, and nobody can be asked for it. Load the key into an agent first: ssh-add ${name}`,
        );
      for (let attempt = 1; attempt <= MAX_TRIES; attempt++) {
        const passphrase = await prompt.secret(`Passphrase for ${name}:`);
        if (passphrase === undefined)
          throw new ExposeError(
            "key-invalid",
            `The key ${name} is locked, and no passphrase was given. Try again, or load the key into an agent: ssh-add ${name}`,
          );
        log.info(`Opening ${name}, which may take a second.`);
        const key = file.unlock(passphrase);
        if (key) {
          opened.set(file.contentId, key);
          return;
        }
        log.warn(`Wrong passphrase for ${name}.`);
      }
      throw new ExposeError(
        "key-invalid",
        `The key ${name} is locked, and ${MAX_TRIES} passphrases were wrong. Try again, or load the key into an agent: ssh-add ${name}`,
      );
    },
  };
}
