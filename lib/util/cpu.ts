import { existsSync, readFileSync } from 'node:fs';

/** The CPU's instructions for vectors and matrices. */
export function vectorFeatures(): string[] {
  const info = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : '';
  const [, flags = ''] = /^(?:flags|Features)\s*: (.*)$/m.exec(info) ?? [];
  return flags.split(' ').filter((flag) => /^(avx|fma|amx|asimd|sve|bf16)/.test(flag));
}
