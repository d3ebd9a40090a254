// Tests that may be skipped, each with its reason; `npm test` fails when any other is.
/** @type {readonly { test: string, reason: string }[]} `test` is "path/of/file.test.ts > full name" */
export const allowedSkips = [];
