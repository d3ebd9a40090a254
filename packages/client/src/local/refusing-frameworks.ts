// How frameworks say that they do not answer to a host name, and what their configuration calls the names that they do
// answer to.

/** A framework that looks at the Host header. */
export interface Framework {
  readonly name: string;
  /** What its refusal says, and nothing else does. */
  readonly sign: RegExp;
  /** @param suffix the edge's domain with a dot in front, which stands for every name under it */
  fix(suffix: string): string;
}

const FLAG = "--host-header rewrite";

/**
 * In the order in which they are tried. Next.js is missing: it refuses server actions with a status 500 that does not
 * say why.
 */
export const refusingFrameworks: readonly Framework[] = [
  {
    // Vite underneath, and configured elsewhere.
    name: "Angular",
    sign: /Blocked request\. This host[^]*angular\.json/,
    fix: (suffix) =>
      `${FLAG}, or "allowedHosts": ["${suffix}"] in the options of "serve" in angular.json`,
  },
  {
    name: "Vite",
    sign: /Blocked request\. This host/,
    fix: (suffix) =>
      `${FLAG}, or server: { allowedHosts: ["${suffix}"] } in vite.config.js`,
  },
  {
    name: "webpack-dev-server",
    sign: /Invalid Host(?:\/Origin)? header/,
    fix: (suffix) =>
      `${FLAG}, or devServer: { allowedHosts: ["${suffix}"] } in webpack.config.js`,
  },
  {
    // Looks at X-Forwarded-Host too, which the edge sets: another Host alone does not help.
    name: "Rails",
    sign: /Blocked hosts?:|config\.hosts (?:<<|&lt;&lt;)/,
    fix: (suffix) =>
      `config.hosts << "${suffix}" in config/environments/development.rb`,
  },
  {
    name: "Django",
    sign: /DisallowedHost|Invalid HTTP_HOST header/,
    fix: (suffix) => `${FLAG}, or ALLOWED_HOSTS = ["${suffix}"] in settings.py`,
  },
  {
    name: "Starlette",
    sign: /Invalid host header/,
    fix: (suffix) =>
      `${FLAG}, or allowed_hosts=["*${suffix}"] for TrustedHostMiddleware`,
  },
];
