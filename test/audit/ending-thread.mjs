/** The writing thread of mode `open`, which ends by itself again and again. */
await import('../../dist/audit/open-thread.js');
setTimeout(() => process.exit(1), 150);
