// OpenSSH's wildcard patterns (ssh_config(5), PATTERNS), as ssh_config and known_hosts use them.

/** How a pattern list judges a name: a negated match (`!pattern`) outweighs every other. */
export type PatternVerdict = "match" | "negated" | "none";

/**
 * Holds a name against a list of patterns. Case counts; whoever needs otherwise lowers both sides first.
 *
 * @param patterns each with `*`, `?` and an optional leading `!`
 */
export function matchPatternList(
  name: string,
  patterns: readonly string[],
): PatternVerdict {
  let verdict: PatternVerdict = "none";
  for (const pattern of patterns) {
    if (pattern.startsWith("!")) {
      if (matchPattern(name, pattern.slice(1))) return "negated";
    } else if (matchPattern(name, pattern)) {
      verdict = "match";
    }
  }
  return verdict;
}

/** Whether `pattern` covers all of `name`: `*` stands for any run of characters, `?` for exactly one. */
export function matchPattern(name: string, pattern: string): boolean {
  // Goes back to the last star only, so that "*a*a*a*b" costs name times pattern and not an exponential walk.
  let n = 0;
  let p = 0;
  let starAt = -1;
  let resumeAt = 0;
  while (n < name.length) {
    if (pattern[p] === "*") {
      starAt = p++;
      resumeAt = n;
    } else if (
      p < pattern.length &&
      (pattern[p] === "?" || pattern[p] === name[n])
    ) {
      p++;
      n++;
    } else if (starAt >= 0) {
      p = starAt + 1;
      n = ++resumeAt;
    } else {
      return false;
    }
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}
