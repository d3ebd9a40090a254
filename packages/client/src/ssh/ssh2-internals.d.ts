// ssh2 has no typings for this inner file, and no `exports` that would forbid it; tuning.test.ts guards what is used.
declare module "ssh2/lib/Channel.js" {
  const module: { Channel: { prototype: unknown } };
  export default module;
}

declare module "ssh2/lib/protocol/crypto.js" {
  const module: {
    /** Whether the native addon was found and could be loaded. */
    bindingAvailable: boolean;
  };
  export default module;
}
