// Where agent packages and shipped modules come from.
export { openOciLayout, importPackage, importSignatures } from './oci-layout.js';
export { openModuleManifest } from './module-manifest.js';
