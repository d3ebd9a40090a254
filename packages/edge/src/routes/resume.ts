// Resume tokens: how a random name finds its way back to its owner after the edge has restarted and forgotten it.
import { createHmac, timingSafeEqual } from "node:crypto";

/** Issues and checks resume tokens. */
export interface ResumeTokens {
  issue(identityId: string, name: string): string;
  check(token: string, identityId: string, name: string): boolean;
}

/**
 * Tokens are a MAC over identity and name, so that nothing needs to be stored and a token is worthless to others.
 *
 * @param secret at least 32 bytes, kept over restarts; a fresh one makes old tokens void and nothing else
 */
export function createResumeTokens(secret: Buffer): ResumeTokens {
  const issue = (identityId: string, name: string): string =>
    createHmac("sha256", secret)
      .update(`resume\0${identityId}\0${name}`)
      .digest("base64url");
  return {
    issue,
    check(token, identityId, name) {
      const expected = Buffer.from(issue(identityId, name));
      const given = Buffer.from(token);
      return (
        given.length === expected.length && timingSafeEqual(given, expected)
      );
    },
  };
}
