// Who a key belongs to and what it may do, as the users file says.

/** The owner of one or more keys. */
export interface Identity {
  /** From the comment of the key's line: `alice@laptop`. Also part of a socket's path, hence a narrow alphabet. */
  readonly id: string;
  /** Names that it may claim, `*` standing for any run of characters; undefined means any that is not reserved. */
  readonly names: readonly string[] | undefined;
  /** Undefined: the edge's own limit alone holds. */
  readonly maxTunnels: number | undefined;
  /** Public ports that it may forward past the edge (`openssh` only). */
  readonly directPorts: readonly number[];
}
