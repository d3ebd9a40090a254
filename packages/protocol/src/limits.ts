// Bounds that both ends must agree on, so that neither sends what the other refuses.

/** Longest control message in bytes, its newline included. Long enough for every field at its own bound. */
export const MAX_MESSAGE_BYTES = 4 * 1024;

/**
 * Length in bytes of each of the two proofs that open a forwarded connection in `openssh` mode: 24 random bytes in
 * base64url. A fixed length lets both ends cut it off without a parser.
 */
export const PROOF_BYTES = 32;

/** Longest DNS label (RFC 1035 section 2.3.4), hence longest tunnel name. */
export const MAX_NAME_LENGTH = 63;
