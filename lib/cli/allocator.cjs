// @ts-check
'use strict';
/**
 * glibc's allocator as TensorFlow needs it: a training step frees and takes hundreds of megabytes, and by default glibc
 * gives large blocks back to the system each time, so that every page is faulted in again. Measured on a step of the
 * vanilla model (2 cores): 302 ms by default, 260 ms with blocks kept, 246 ms in huge pages. Other C libraries ignore it.
 * Trap: glibc reads these when a process starts; setting them inside it does nothing.
 */
module.exports = {
  GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1',
  MALLOC_MMAP_MAX_: '0',
  MALLOC_TRIM_THRESHOLD_: String(16 * 2 ** 30),
  MALLOC_TOP_PAD_: String(64 * 2 ** 20),
};
