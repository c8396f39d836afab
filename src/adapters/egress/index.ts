export { openEgressProxies, type EgressOptions } from './proxies.js';
