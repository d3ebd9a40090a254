// One thing that `expose doctor` looks at.

/** SKIP: not looked at, because something before it failed or it was not asked for. */
export type CheckStatus = "PASS" | "WARN" | "FAIL" | "SKIP";

/** A finding. */
export interface Check {
  name: string;
  status: CheckStatus;
  /** What was found, in one line. Never a secret. */
  detail: string;
  /** What to do about it. Set for WARN and FAIL. */
  action?: string;
}

export const pass = (name: string, detail: string): Check => ({
  name,
  status: "PASS",
  detail,
});
export const warn = (name: string, detail: string, action: string): Check => ({
  name,
  status: "WARN",
  detail,
  action,
});
export const fail = (name: string, detail: string, action: string): Check => ({
  name,
  status: "FAIL",
  detail,
  action,
});
export const skip = (name: string, detail: string): Check => ({
  name,
  status: "SKIP",
  detail,
});
