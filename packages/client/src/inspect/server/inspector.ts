// The inspector's server: one port of loopback for the page, the API and the shapes of ngrok's. Each request passes
// guard, route and token, in this order, before anything is done.
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { ExposeError } from "../../errors.ts";
import { writeRunFile } from "../run-file.ts";
import { noteOwnPort } from "../run-ports.ts";
import { ApiError, describeError } from "./api-error.ts";
import { createEventStreams } from "./event-stream.ts";
import { guardRequest } from "./guard.ts";
import type { InspectorOptions } from "./inspected.ts";
import { listenOnLoopback } from "./listen.ts";
import { isOwnConnection } from "./peer-user.ts";
import { secure, sendJson } from "./respond.ts";
import { findRoute, parseTarget, type Route } from "./router.ts";
import { listRoutes } from "./routes/list.ts";
import { isPage, servePage } from "./routes/page.ts";
import { describeStatus } from "./routes/status.ts";
import { findPageFolder, openStaticFiles } from "./static-files.ts";
import {
  createToken,
  isGoodToken,
  isSameSecret,
  MIN_TOKEN_CHARACTERS,
  readSecrets,
} from "./token.ts";

/** An inspector that runs. */
export interface Inspector {
  /** `http://127.0.0.1:4040`. */
  readonly url: string;
  readonly port: number;
  /** Secret of this run. */
  readonly token: string;
  /** Ends every connection and frees the port. Does not close the store. Idempotent. */
  close(): Promise<void>;
}

const DEFAULT_PORT = 4040;
const MAX_CONNECTIONS = 256;
const MAX_HEADER_BYTES = 16 * 1024;

/**
 * Starts the server on 127.0.0.1, and ::1 where that is free.
 *
 * @throws ExposeError `listen-failed` when neither the port nor one of those after it is free; `usage-invalid` for an
 * API token that could be guessed, or that no header takes
 */
export async function startInspector(
  options: InspectorOptions,
): Promise<Inspector> {
  const { store, apiToken } = options;
  if (apiToken !== undefined && !isGoodToken(apiToken))
    throw new ExposeError(
      "usage-invalid",
      `The API token cannot be used: ${MIN_TOKEN_CHARACTERS} letters, digits and ._~+/- or more, without blanks.`,
    );
  const token = createToken();
  const events = createEventStreams(store, () => describeStatus(options));
  const files = openStaticFiles(options.pageFolder ?? findPageFolder());
  const sockets = new Set<Socket>();
  let port = 0;
  let closing: Promise<void> | undefined;

  const routes = listRoutes(options, events);

  const listening = await listenOnLoopback(
    createServer,
    options.port ?? DEFAULT_PORT,
    new Set(options.avoidPorts),
  );
  if (!listening)
    throw new ExposeError(
      "listen-failed",
      `The inspector found no free port from ${options.port ?? DEFAULT_PORT} on.`,
    );
  port = listening.port;
  for (const server of listening.servers)
    server.on("error", (error) => options.onError?.(error));
  const url = `http://127.0.0.1:${port}`;
  const forgetPort = noteOwnPort(port);
  const removeRunFile = await announce();

  return {
    url,
    port,
    token,
    close() {
      closing ??= close();
      return closing;
    },
  };

  function createServer(): http.Server {
    const server = http.createServer(
      {
        maxHeaderSize: MAX_HEADER_BYTES,
        headersTimeout: 10_000,
        requestTimeout: 60_000,
        keepAliveTimeout: 5_000,
        noDelay: true,
      },
      (request, response) => void answer(request, response),
    );
    server.maxConnections = MAX_CONNECTIONS;
    server.on("connection", (socket: Socket) => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
    });
    // A body that is announced with Expect is asked for only where it is read.
    server.on(
      "checkContinue",
      (request: IncomingMessage, response: ServerResponse) =>
        void answer(request, response),
    );
    return server;
  }

  async function answer(
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    response.on("error", () => response.destroy());
    secure(response);
    try {
      await handle(request, response);
    } catch (error) {
      fail(request, response, error);
    }
    // What is left of a body that nobody wanted is not waited for.
    if (!request.complete && response.writableEnded)
      response.once("finish", () => request.socket.destroySoon());
  }

  async function handle(
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const target = request.url ?? "";
    const path = target.split("?", 1)[0]!;
    guardRequest(
      {
        method: request.method ?? "",
        rawHeaders: request.rawHeaders,
        isPage: isPage(path),
      },
      port,
    );
    const { segments, query } = parseTarget(target);
    if (isPage(path)) await refuseStrangers(request);
    if (servePage(request, response, path, { files, port, token })) return;
    const found = findRoute(routes, request.method ?? "", segments);
    if (!found)
      throw new ApiError(
        "route-unknown",
        "There is nothing here; docs/inspector-api.md lists what there is.",
      );
    const trusted = checkToken(request, found.route);
    if (!trusted) await refuseStrangers(request);
    if (request.headers.expect !== undefined) response.writeContinue();
    await found.route.handle({
      request,
      response,
      params: found.params,
      query,
      trusted,
    });
  }

  // What is given without a token is for this user alone. @throws ApiError `user-refused`
  async function refuseStrangers(request: IncomingMessage): Promise<void> {
    if (await isOwnConnection(request.socket)) return;
    throw new ApiError(
      "user-refused",
      "This inspector belongs to another user of this machine.",
    );
  }

  // @throws ApiError `token-missing`, `token-wrong`
  function checkToken(request: IncomingMessage, route: Route): boolean {
    const wanted = [token, options.apiToken].filter(
      (secret) => secret !== undefined,
    );
    const given = readSecrets(request.headers, port);
    // All are compared with all, so that the time says nothing about which.
    const trusted = given
      .flatMap((secret) => wanted.map((each) => isSameSecret(secret, each)))
      .includes(true);
    if (trusted) return true;
    if (route.access === "open" && options.apiToken === undefined) return false;
    throw given.length > 0
      ? new ApiError(
          "token-wrong",
          "This is not the token of this run. Load the page again, or read the token anew from the run file.",
        )
      : new ApiError(
          "token-missing",
          "Send the token: Authorization: Bearer TOKEN, from the run file or --api-token. The page has it as a cookie.",
        );
  }

  function fail(
    request: IncomingMessage,
    response: ServerResponse,
    error: unknown,
  ): void {
    const { status, body } = describeError(error);
    if (body.error.code === "internal-error") options.onError?.(error);
    // Too late for an answer: a cut is the only sign left.
    if (response.headersSent) return void response.destroy();
    if (error instanceof ApiError && error.code === "method-unsupported")
      response.setHeader(
        "Allow",
        (error.details["allow"] as string[]).join(", "),
      );
    if (status === 401)
      response.setHeader("WWW-Authenticate", 'Bearer realm="expose"');
    if (!request.complete) response.setHeader("Connection", "close");
    sendJson(response, body, status);
  }

  async function announce(): Promise<() => void> {
    if (options.runFolder === undefined) return () => {};
    try {
      return await writeRunFile(options.runFolder, {
        pid: process.pid,
        port,
        token,
        startedAt: Date.now(),
        url,
      });
    } catch (error) {
      // A disk that is full or read-only takes away the command line's way in, and nothing else.
      options.warn?.(
        `\`expose logs\`, \`show\` and \`replay\` will not find this client, because ${options.runFolder} cannot be written (${(error as NodeJS.ErrnoException).code ?? String(error)}).`,
      );
      return () => {};
    }
  }

  async function close(): Promise<void> {
    removeRunFile();
    forgetPort();
    events.close();
    const closed = listening!.servers.map(
      (server) => new Promise((resolve) => server.close(resolve)),
    );
    for (const socket of sockets) socket.destroy();
    await Promise.all(closed);
  }
}
