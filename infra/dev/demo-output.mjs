// What the demo prints: how to try it, and then what arrives.
import { renderUnicodeCompact } from "uqr";

/**
 * @param {object} demo
 * @param {import("@expose/client").Tunnel} demo.tunnel
 * @param {string | undefined} demo.target undefined: the debugging server
 * @param {number} demo.port where visitors are served
 * @param {number} demo.usualPort where they are served when it is free
 * @param {{ address: string, domain: string } | undefined} demo.network undefined: this machine alone
 */
export function greeting({ tunnel, target, port, usualPort, network }) {
  const paragraphs = [
    `${tunnel.url} -> ${target === undefined ? "a debugging server that says hello" : tunnel.upstream}`,
    // Another path is likely to be a 404 at a server that is not ours.
    `Try it:\n  curl ${tunnel.url}/${target === undefined ? "hello" : ""}`,
    ...(network ? [describeLan(tunnel.url, port, network)] : []),
    "Requests show up below. Ctrl-C ends everything.",
  ];
  if (port !== usualPort)
    paragraphs.unshift(`Port ${usualPort} is in use; this is ${port} instead.`);
  return `\n${paragraphs.join("\n\n")}\n`;
}

/** @param {string} url of the inspector's page */
export const inspecting = (url) =>
  `Look into requests and replay them: ${url}\n`;

/** The request as it arrived at the debugging server. */
export function showRequest({ method, target, httpVersion, headers }) {
  const lines = [
    `${method} ${target} HTTP/${httpVersion}`,
    ...headers.map(([name, value]) => `    ${name}: ${value}`),
  ];
  console.log(lines.map(printable).join("\n"));
}

/** One line for a finished request. */
export function showResult({ method, path, status, durationMs, error }) {
  const outcome = status === 0 ? "gone before an answer" : status;
  const took = `${Math.round(durationMs)} ms`;
  console.log(
    printable(
      `${method} ${path} ${outcome} ${took}${error ? ` (${error})` : ""}`,
    ),
  );
}

function describeLan(url, port, { address }) {
  return [
    `From a phone in this network: ${url}`,
    `or, where its resolver does not answer with local addresses: http://${address}:${port}`,
    "",
    renderUnicodeCompact(url, { ecc: "L", border: 2 }),
  ].join("\n");
}

// A visitor's path must not drive the terminal.
const printable = (line) => line.replace(/[^\x20-\x7e]/g, "?");
