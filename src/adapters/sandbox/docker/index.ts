// The Docker driver and its configuration.
export { openDockerDriver, type DockerDriverOptions } from './driver.js';
