// The WASM sandbox driver's public name.
export { openWasmDriver, type WasmDriverOptions } from './driver.js';
