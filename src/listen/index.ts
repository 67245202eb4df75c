/** Stream listeners: DNS over TCP, TLS and HTTPS, with their limits. */
export { devCertificate } from './certificate.ts';
export * from './contract.ts';
export { connectionsWithin, descriptorsMax } from './descriptors.ts';
export { openHttpsListener } from './https.ts';
export { ConnectionLimits, DEFAULT_LIMITS, type LimitSettings } from './limits.ts';
export { portSharing } from './shared-port.ts';
export { openTcpListener } from './tcp.ts';
export { openTlsListener } from './tls.ts';
