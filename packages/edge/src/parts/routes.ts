// The route table as the configuration wants it.
import type { EdgeConfig } from "../config/schema.ts";
import { matchesName } from "../registry/matches-name.ts";
import { createResumeTokens } from "../routes/resume.ts";
import {
  createRouteTable,
  type RouteTable,
  type RouteTableOptions,
} from "../routes/table.ts";

/** @param context.secret of the state directory, for resume tokens */
export const createRoutes = (
  config: EdgeConfig,
  {
    secret,
    ...context
  }: Pick<RouteTableOptions, "urlOf" | "onChange"> & {
    readonly secret: Buffer;
  },
): RouteTable =>
  createRouteTable({
    ...context,
    domains: config.domain,
    reserved: new Set(config.reservedNames),
    mayClaim: matchesName,
    resume: createResumeTokens(secret),
    graceMs: config.timeouts.lease,
    maxTunnelsPerIdentity: config.limits.tunnelsPerIdentity,
    defaultName: config.defaultName,
  });
