// Every environment variable that the client looks at, in one list. docs/configuration.md shows it (a test compares).

/** The variables and what each does. An empty one counts as not set. */
export const environmentVariables = {
  EXPOSE_SERVER:
    "The server, as `--server` says it. The flag goes before it, and it before the file.",
  EXPOSE_CONFIG:
    "The configuration file, as `--config` names it. The flag goes before it.",
  EXPOSE_API_TOKEN:
    "A token of yours for the inspector's API, as `--api-token` reads it from a file. The flag goes before it.",
  EXPOSE_DEBUG: "Set to anything: errors come with their stacks.",
  NO_COLOR: "Set to anything: plain lines, as with `--no-color`.",
  TERM: "`dumb`: plain lines, as with `--no-color`.",
  XDG_CONFIG_HOME:
    "Absolute path of the folder for configuration, in place of `~/.config`.",
  XDG_STATE_HOME:
    "Absolute path of the folder for what outlives a run (the inspector's history), in place of `~/.local/state`.",
  EXPOSE_WEBHOOK_SECRET_GITHUB:
    "Secret that GitHub's webhooks are checked and signed with; several are separated by blanks. `webhooks.NAME.secret-env` names another variable.",
  EXPOSE_WEBHOOK_SECRET_STRIPE: "The same for Stripe: `whsec_…`.",
  EXPOSE_WEBHOOK_SECRET_SLACK: "The same for Slack: the app's signing secret.",
  EXPOSE_WEBHOOK_SECRET_SHOPIFY:
    "The same for Shopify: the app's client secret.",
  EXPOSE_WEBHOOK_SECRET_TWILIO:
    "The same for Twilio: the account's auth token.",
  EXPOSE_WEBHOOK_SECRET_STANDARD:
    "The same for Standard Webhooks and svix: `whsec_…` or `whpk_…`.",
  SSH_AUTH_SOCK: "Socket of the SSH agent, as for ssh.",
  VISUAL: "Editor for `expose replay --edit`; then `EDITOR`.",
  EDITOR: "See `VISUAL`.",
  SUDO_UID:
    "As sudo sets it: the inspector of a client that was started with sudo answers this user's browser too.",
  USER: "Name to log in with where nothing else says one, as for ssh; then `LOGNAME`.",
  LOGNAME: "See `USER`.",
} as const;

/** One of {@link environmentVariables}. */
export type EnvironmentVariable = keyof typeof environmentVariables;

/** Where variables come from: process.env, or what a test says. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** @returns undefined for a variable that is not set, or empty */
export function readVariable(
  env: Environment,
  name: EnvironmentVariable,
): string | undefined {
  return env[name] || undefined;
}
