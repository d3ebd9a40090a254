// Reads ssh_config(5) files as ssh does: first value wins, Host and Match sections, Include. The library parses; what
// applies is decided here, because its own look-up would run the commands of `Match exec` in a shell and `nslookup`.
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import SSHConfig, { LineType, type Directive, type Line } from "ssh-config";
import { ExposeError } from "../errors.ts";
import { expandGlob } from "./expand-glob.ts";
import { expandPath } from "./expand-path.ts";
import { matchPatternList } from "./pattern.ts";
import { explainUnsupported } from "./unsupported.ts";

/** What decides which sections apply. */
export interface UserConfigQuery {
  /** The host as typed. */
  host: string;
  /** The user as typed; absent: what the files say, or the local user. */
  user: string | undefined;
  localUser: string;
  home: string;
  env: NodeJS.ProcessEnv;
}

/** A file to read. */
export interface UserConfigFile {
  path: string;
  /** Where relative paths of Include lie. */
  includeFolder: string;
  /** Whether it must exist. */
  required: boolean;
}

/** What the files say about one host. */
export interface UserConfig {
  /** The first value of a directive as a whole. @param name in lower case */
  get(name: string): string | undefined;
  /** The words of the first value of a directive that takes several. */
  words(name: string): readonly string[] | undefined;
  /** Every value of a directive that may stand several times. */
  all(name: string): readonly string[];
  /** One sentence for each directive that applies, matters and is not supported. */
  readonly unsupported: readonly string[];
}

// Both as in ssh: readconf.c, READCONF_MAX_DEPTH.
const MAX_INCLUDE_DEPTH = 16;
const REPEATABLE = new Set(["identityfile", "certificatefile"]);

/**
 * Reads the files in order and collects what applies to the host. Nothing is executed and nothing is looked up.
 *
 * @throws ExposeError `config-unreadable` when a file cannot be read or parsed
 */
export async function readUserConfig(
  files: readonly UserConfigFile[],
  query: UserConfigQuery,
): Promise<UserConfig> {
  const reader = new Reader(query);
  await reader.pass(files);
  // `Match final` and its like: ssh reads everything a second time with the resolved host name.
  if (reader.wantsFinalPass) await reader.finalPass(files);
  return reader.result();
}

class Reader {
  readonly #query: UserConfigQuery;
  readonly #parsed = new Map<string, Promise<readonly Line[]>>();
  readonly #values = new Map<string, string[][]>();
  readonly #unsupported = new Set<string>();
  #final = false;
  wantsFinalPass = false;

  constructor(query: UserConfigQuery) {
    this.#query = query;
  }

  async pass(files: readonly UserConfigFile[]): Promise<void> {
    for (const file of files) await this.#file(file, 0);
  }

  async finalPass(files: readonly UserConfigFile[]): Promise<void> {
    this.#final = true;
    await this.pass(files);
  }

  result(): UserConfig {
    const first = (name: string): string[] | undefined =>
      this.#values.get(name)?.[0];
    return {
      get: (name) => first(name)?.join(" "),
      words: first,
      all: (name) => [
        ...new Set(this.#values.get(name)?.map((words) => words.join(" "))),
      ],
      unsupported: [...this.#unsupported],
    };
  }

  async #file(file: UserConfigFile, depth: number): Promise<void> {
    if (depth > MAX_INCLUDE_DEPTH)
      throw unreadable(file.path, "Include is nested too deeply");
    let lines = this.#parsed.get(file.path);
    if (!lines) this.#parsed.set(file.path, (lines = parseFile(file)));
    await this.#lines(await lines, file, depth);
  }

  async #lines(
    lines: readonly Line[],
    file: UserConfigFile,
    depth: number,
  ): Promise<void> {
    for (const line of lines) {
      if (line.type !== LineType.DIRECTIVE) continue;
      const name = line.param.toLowerCase();
      if ("config" in line) {
        const applies =
          name === "host"
            ? matchPatternList(this.#matchHost(), wordsOf(line)) === "match"
            : this.#matches(wordsOf(line), file);
        if (applies) await this.#lines(line.config, file, depth);
      } else if (name === "include") {
        await this.#include(wordsOf(line), file, depth);
      } else {
        this.#set(name, line, file);
      }
    }
  }

  async #include(
    patterns: readonly string[],
    file: UserConfigFile,
    depth: number,
  ): Promise<void> {
    for (const pattern of patterns) {
      if (/[[\]{}]/.test(pattern)) {
        this.#unsupported.add(
          `"Include ${pattern}" in ${file.path} is not supported: of wildcards only * and ? are.`,
        );
        continue;
      }
      const expanded = expandPath(pattern, {
        ...this.#query,
        tokens: undefined,
        where: `Include in ${file.path}`,
      });
      const paths = await expandGlob(resolve(file.includeFolder, expanded));
      for (const path of paths)
        await this.#file(
          { path, includeFolder: file.includeFolder, required: false },
          depth + 1,
        );
    }
  }

  #set(name: string, line: Directive, file: UserConfigFile): void {
    const words = wordsOf(line);
    const earlier = this.#values.get(name);
    if (earlier && !REPEATABLE.has(name)) return;
    // Whichever comes first of the two rules out the other.
    const rival = { proxyjump: "proxycommand", proxycommand: "proxyjump" }[
      name
    ];
    if (rival && this.#values.has(rival)) return;
    this.#values.set(name, [...(earlier ?? []), words]);
    const sentence = explainUnsupported(line.param, words.join(" "), file.path);
    if (sentence) this.#unsupported.add(sentence);
  }

  #matches(words: readonly string[], file: UserConfigFile): boolean {
    let applies = true;
    let unknown: string | undefined;
    for (let i = 0; i < words.length; i++) {
      const negated = words[i]!.startsWith("!");
      const criterion = words[i]!.toLowerCase().replace(/^!/, "");
      const takesValue = !["all", "final", "canonical"].includes(criterion);
      const value = takesValue ? (words[++i] ?? "") : "";
      const verdict = this.#criterion(criterion, value);
      if (verdict === undefined) unknown ??= criterion;
      else if (verdict === negated) applies = false;
    }
    if (!applies || unknown === undefined) return applies;
    this.#unsupported.add(
      `"Match ${unknown}" in ${file.path} is not supported; its section is left out.`,
    );
    return false;
  }

  #criterion(criterion: string, value: string): boolean | undefined {
    const { host, user, localUser } = this.#query;
    const inList = (name: string): boolean =>
      matchPatternList(name, value.split(",")) === "match";
    switch (criterion) {
      case "all":
        return true;
      // Follows a look-up that CanonicalizeHostname asks for; that one is reported as unsupported by itself.
      case "canonical":
        return false;
      case "final":
        this.wantsFinalPass = true;
        return this.#final;
      case "host":
        return inList(this.#hostName());
      case "originalhost":
        return inList(host);
      case "user":
        return inList(user ?? this.#values.get("user")?.[0]?.[0] ?? localUser);
      case "localuser":
        return inList(localUser);
      default:
        return undefined;
    }
  }

  #matchHost(): string {
    return this.#final ? this.#hostName() : this.#query.host;
  }

  #hostName(): string {
    const { host } = this.#query;
    const given = this.#values.get("hostname")?.[0]?.[0];
    return given?.replace(/%[%hn]/g, (t) => (t === "%%" ? "%" : host)) ?? host;
  }
}

async function parseFile(file: UserConfigFile): Promise<readonly Line[]> {
  let text: string;
  try {
    text = await readFile(file.path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (!file.required && (code === "ENOENT" || code === "ENOTDIR")) return [];
    throw unreadable(file.path, `it cannot be read (${code})`, error);
  }
  let lines: readonly Line[];
  try {
    lines = SSHConfig.parse(text);
  } catch (error) {
    throw unreadable(file.path, (error as Error).message, error);
  }
  for (const line of flatten(lines))
    if (line.type === LineType.DIRECTIVE && /[\r\n]/.test(line.param))
      // The library takes the next line for the value.
      throw unreadable(
        file.path,
        `"${line.param.split(/[\r\n]/)[0]}" has no value`,
      );
  return lines;
}

function* flatten(lines: readonly Line[]): Generator<Line> {
  for (const line of lines) {
    yield line;
    if ("config" in line) yield* flatten(line.config);
  }
}

const wordsOf = (line: Directive): string[] =>
  typeof line.value === "string"
    ? [line.value]
    : line.value.map(({ val }) => val);

function unreadable(
  path: string,
  reason: string,
  cause?: unknown,
): ExposeError {
  return new ExposeError(
    "config-unreadable",
    `The SSH configuration ${path} cannot be used: ${reason}. Mend the file; "ssh -G HOST" shows whether ssh can read it.`,
    { cause },
  );
}
