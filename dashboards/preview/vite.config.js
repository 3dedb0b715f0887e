// Builds one page that needs nothing from outside: Grafana's icons and fonts go where its components look for them.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { defineConfig } from 'vite';

const require = createRequire(import.meta.url);
const folder = (name) => dirname(require.resolve(`${name}/package.json`));

const MONO = ['@fontsource/roboto-mono', 'files/roboto-mono-latin-400-normal.woff2'];
const FONTS = {
  'fonts/inter/Inter-Regular.woff2': ['inter-ui', 'web/Inter-Regular.woff2'],
  'fonts/inter/Inter-Medium.woff2': ['inter-ui', 'web/Inter-Medium.woff2'],
  'fonts/roboto/L0xTDF4xlVMF-BfR8bXMIhJHg45mwgGEFl0_3vrtSM1J-gEPT5Ese6hmHSh0mQ.woff2': MONO,
};

const fonts = {
  name: 'fonts',
  generateBundle() {
    for (const [fileName, [name, path]] of Object.entries(FONTS)) {
      this.emitFile({ type: 'asset', fileName, source: readFileSync(join(folder(name), path)) });
    }
  },
};

export default defineConfig({
  base: '/',
  publicDir: join(folder('@grafana/ui'), 'dist', 'public'),
  plugins: [fonts],
  define: { 'process.env.NODE_ENV': '"production"', 'process.env': '{}', global: 'window' },
  build: {
    target: 'es2022',
    minify: false,
    chunkSizeWarningLimit: 100000,
    reportCompressedSize: false,
    // The code editor, which no panel shows: it is loaded on demand, so it is never missed.
    rollupOptions: { external: [/^monaco-editor/, '@monaco-editor/react'] },
  },
});
