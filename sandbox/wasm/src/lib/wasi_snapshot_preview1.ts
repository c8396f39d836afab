// The WASI preview 1 functions that agents and tools need. AssemblyScript takes the import's module name from this file's
// name, so the file is called what the module is called.

export declare function fd_read(fd: u32, iovs: usize, count: usize, read: usize): u32;
export declare function fd_write(fd: u32, iovs: usize, count: usize, written: usize): u32;
export declare function proc_exit(code: u32): void;
export declare function args_sizes_get(count: usize, bytes: usize): u32;
export declare function args_get(pointers: usize, bytes: usize): u32;
