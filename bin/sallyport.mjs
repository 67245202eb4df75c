#!/usr/bin/env node
/** The command line, or what to do in a checkout that has not been compiled: npm leaves that out where scripts are ignored. */
import { existsSync } from 'node:fs';

const compiled = new URL('../dist/cli/sallyport.js', import.meta.url);

if (existsSync(compiled)) await import(compiled.href);
else {
  console.error(
    'sallyport: this checkout has not been compiled; run "npm ci --include=dev && npm run build" (npm ci alone does both, unless scripts or development dependencies are left out)',
  );
  process.exitCode = 1;
}
