// What of undici's inside is used: the bytes of its llhttp (llhttp.ts says why). undici declares no types for it.
declare module "undici/lib/llhttp/llhttp-wasm.js" {
  const bytes: Buffer<ArrayBuffer>;
  export default bytes;
}
