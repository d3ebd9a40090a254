// The versions that client and edge tell each other when they meet.

/** Version of the product; a test holds it to the package.json files. */
export const PRODUCT_VERSION = "0.1.0";

/**
 * Version of the control protocol. It rises only when an old peer could misunderstand a new one; fields may be added
 * without it, because both ends ignore fields that they do not know.
 */
export const PROTOCOL_VERSION = 1;
