// Reads docs/vps.md as a program: its blocks of commands, each with where it is to be run, and what is done by hand between.

/**
 * @typedef {"clone" | "server" | "machine"} Place
 * @typedef {object} Step
 * @property {number} line where it begins in the page
 * @property {string} [action] what the trial does in place of a block that it cannot run
 * @property {Place} [place]
 * @property {string} [commands]
 * @property {boolean} [online] needs the network outside: packages
 * @property {boolean} [terminal] asks questions in a terminal
 * @property {boolean} [stays] runs on until it is ended
 */

/**
 * Gives the steps in order. Blocks without a place are not run, and must say so in their first line.
 *
 * @param {string} page
 * @returns {Step[]}
 */
export function readSteps(page) {
  const steps = [];
  const lines = page.split("\n");
  for (let at = 0; at < lines.length; at++) {
    const action = /^<!-- try: (.*) -->$/.exec(lines[at])?.[1];
    if (action) steps.push({ line: at + 1, action });
    const fence = /^```(\S*) *(.*)$/.exec(lines[at]);
    if (!fence) continue;
    const end = lines.indexOf("```", at + 1);
    const [language, words] = [fence[1], fence[2].split(" ").filter(Boolean)];
    const commands = lines.slice(at + 1, end).join("\n");
    if (words.length > 0) steps.push(readStep(at + 1, words, commands));
    else if (language !== "" && !commands.startsWith("# untried"))
      throw new Error(
        `docs/vps.md:${at + 1}: this block says neither where it is run nor "# untried".`,
      );
    at = end;
  }
  return steps;
}

function readStep(line, [place, ...flags], commands) {
  const known = ["online", "terminal", "stays"];
  const unknown = flags.find((flag) => !known.includes(flag));
  if (!["clone", "server", "machine"].includes(place) || unknown)
    throw new Error(`docs/vps.md:${line}: "${unknown ?? place}" is unknown.`);
  const has = (flag) => flags.includes(flag);
  return {
    ...{ line, place, commands },
    online: has("online"),
    terminal: has("terminal"),
    stays: has("stays"),
  };
}
