// How the inspector's page is built. `npm run build` uses it by way of infra/dev/page.mjs.
import { defineConfig } from "vite";

export default defineConfig({
  root: import.meta.dirname,
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../client/dist/inspector",
    emptyOutDir: true,
    // What every browser of the last two years knows; nothing is polyfilled.
    target: "es2023",
    // The page's Content-Security-Policy allows no data: addresses, and no inline scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
