// Asks ssh-agent what it holds (draft-ietf-sshm-ssh-agent section 3.5). ssh2's own agent class leaves out in silence
// what it cannot use, and a person whose only key is a security key would be told that there is none.
import { connect } from "node:net";
import { utils, type ParsedKey } from "ssh2";
import { fingerprintOf, keyTypeOf } from "./host-key-blob.ts";

/** A key in the agent. */
export interface AgentKey {
  readonly blob: Buffer;
  /** As the person named it, control characters escaped. */
  readonly comment: string;
  readonly fingerprint: string;
  readonly type: string;
  /** Undefined: the key cannot be used here, for `reason`. */
  readonly publicKey: ParsedKey | undefined;
  readonly reason: string | undefined;
}

// Bounds as in OpenSSH: authfd.c, MAX_AGENT_REPLY_LEN and MAX_AGENT_IDENTITIES.
const MAX_REPLY_BYTES = 256 * 1024;
const MAX_KEYS = 2_048;
const TIMEOUT_MS = 5_000;
const REQUEST_IDENTITIES = 11;
const IDENTITIES_ANSWER = 12;

/**
 * Lists the keys of an agent, the usable and the others.
 *
 * @param socketPath Unix socket or Windows pipe
 * @throws Error when there is no agent, or what answers is none; the message is one clause for the person
 */
export async function listAgentKeys(socketPath: string): Promise<AgentKey[]> {
  const reply = await request(
    socketPath,
    Buffer.from([0, 0, 0, 1, REQUEST_IDENTITIES]),
  );
  return parseReply(reply);
}

/** Says why a type of key is of no use here; undefined when it is. */
export function explainUnusableType(type: string): string | undefined {
  if (/-cert-v\d\d@/.test(type)) return "certificates are not supported";
  if (/^(?:webauthn-)?sk-/.test(type))
    return "security keys (FIDO) are not supported";
  if (type === "ssh-dss") return "servers no longer accept DSA keys";
  return undefined;
}

function request(socketPath: string, message: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    let received = Buffer.alloc(0);
    const timer = setTimeout(
      () =>
        finish(new Error(`it did not answer within ${TIMEOUT_MS / 1_000} s`)),
      TIMEOUT_MS,
    );
    const finish = (error: Error | undefined): void => {
      clearTimeout(timer);
      socket.destroy();
      if (error) reject(error);
      else resolve(received.subarray(4));
    };
    socket.on("connect", () => socket.write(message));
    socket.on("error", (error: NodeJS.ErrnoException) =>
      finish(
        new Error(`it cannot be reached (${error.code})`, { cause: error }),
      ),
    );
    socket.on("close", () => finish(new Error("it closed the connection")));
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 4) return;
      const length = received.readUInt32BE(0);
      if (length > MAX_REPLY_BYTES)
        return finish(new Error("what answers there is no ssh-agent"));
      if (received.length >= 4 + length) {
        received = received.subarray(0, 4 + length);
        finish(undefined);
      }
    });
  });
}

function parseReply(reply: Buffer): AgentKey[] {
  const malformed = new Error("what answers there is no ssh-agent");
  let position = 5;
  const readString = (): Buffer => {
    if (reply.length < position + 4) throw malformed;
    const end = position + 4 + reply.readUInt32BE(position);
    if (reply.length < end) throw malformed;
    const bytes = reply.subarray(position + 4, end);
    position = end;
    return bytes;
  };
  // SSH_AGENT_FAILURE comes from agents that are locked.
  if (reply[0] === 5)
    throw new Error("it is locked or refuses to list its keys");
  if (reply.length < 5 || reply[0] !== IDENTITIES_ANSWER) throw malformed;
  const count = reply.readUInt32BE(1);
  if (count > MAX_KEYS) throw malformed;
  return Array.from({ length: count }, () => {
    const blob = readString();
    return describeKey(blob, readString().toString("utf8"));
  });
}

function describeKey(blob: Buffer, comment: string): AgentKey {
  const type = keyTypeOf(blob) ?? "unknown";
  const reason = explainUnusableType(type);
  const parsed = reason === undefined ? utils.parseKey(blob) : undefined;
  const usable = parsed !== undefined && !(parsed instanceof Error);
  return {
    blob,
    comment: comment.replace(/\p{Cc}/gu, "?"),
    fingerprint: fingerprintOf(blob),
    type,
    publicKey: usable ? parsed : undefined,
    reason: usable
      ? undefined
      : (reason ?? `keys of type ${type} are not supported`),
  };
}
