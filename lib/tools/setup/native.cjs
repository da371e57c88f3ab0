// @ts-check
'use strict';
/** What TensorFlow's library reads from the environment when a process starts: setting it inside the process does nothing. */
const fs = require('node:fs');
const path = require('node:path');

/**
 * glibc's allocator as TensorFlow needs it: a training step frees and takes hundreds of megabytes, and by default glibc
 * gives large blocks back to the system each time, so that every page is faulted in again. Measured on a step of the
 * vanilla model (2 cores): 302 ms by default, 260 ms with blocks kept, 246 ms in huge pages. Other C libraries ignore it.
 */
const allocator = {
  GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1',
  MALLOC_MMAP_MAX_: '0',
  MALLOC_TRIM_THRESHOLD_: String(16 * 2 ** 30),
  MALLOC_TOP_PAD_: String(64 * 2 ** 20),
};

/**
 * The folder of a Python environment that holds its packages, or null before there is one.
 * @param {string} venv
 */
function sitePackages(venv) {
  const lib = path.join(venv, 'lib');
  const python = fs.existsSync(lib) ? fs.readdirSync(lib).filter((name) => /^python3\.\d+$/.test(name)) : [];
  return python.length === 1 ? path.join(lib, /** @type {string} */ (python[0]), 'site-packages') : null;
}

/**
 * Where CUDA's libraries lie when pip installed them: TensorFlow opens them by name.
 * @param {string} venv
 * @returns {Record<string, string>}
 */
function cuda(venv) {
  const site = sitePackages(venv);
  const nvidia = site && path.join(site, 'nvidia');
  if (!nvidia || !fs.existsSync(nvidia)) return {};
  const folders = fs
    .readdirSync(nvidia)
    .map((name) => path.join(nvidia, name, 'lib'))
    .filter((folder) => fs.existsSync(folder));
  const before = (process.env.LD_LIBRARY_PATH ?? '')
    .split(path.delimiter)
    .filter((folder) => folder && !folders.includes(folder));
  const nvcc = path.join(nvidia, 'cuda_nvcc');
  const flags =
    process.env.XLA_FLAGS ?? (fs.existsSync(nvcc) ? `--xla_gpu_cuda_data_dir=${nvcc}` : undefined);
  return {
    LD_LIBRARY_PATH: [...folders, ...before].join(path.delimiter),
    ...(flags === undefined ? {} : { XLA_FLAGS: flags }),
  };
}

module.exports = { allocator, sitePackages, cuda };
