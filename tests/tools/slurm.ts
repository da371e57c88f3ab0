/** Slurm on this machine alone, on loopback, for the time of a test: its daemons are children that end with it. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const PROGRAMS = ['munged', 'slurmctld', 'slurmd', 'sbatch', 'squeue', 'scontrol', 'sinfo', 'scancel'];

/** Why Slurm cannot be started here; false where it can. */
export const noSlurm = (): string | false => {
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };
  const missing = PROGRAMS.find((program) => spawnSync('which', [program], { env }).status !== 0);
  if (missing) return `Slurm is not installed (no ${missing}; Debian: slurm-wlm and munge)`;
  return process.getuid?.() === 0 ? false : 'Slurm for tests is started by root alone';
};

export class OneMachine {
  readonly node = hostname().split('.')[0]!;
  readonly folder = mkdtempSync(join(tmpdir(), 'slurm-'));
  readonly env: NodeJS.ProcessEnv = {
    ...process.env,
    PATH: `${process.env.PATH}:/usr/sbin`,
    SLURM_CONF: join(this.folder, 'slurm.conf'),
  };
  private readonly daemons: ChildProcess[] = [];

  async start(): Promise<void> {
    const at = (name: string) => join(this.folder, name);
    for (const name of ['state', 'spool']) mkdirSync(at(name));
    writeFileSync(at('munge.key'), randomBytes(1024), { mode: 0o400 });
    const { node } = this;
    const port = 20_000 + (process.pid % 20_000);
    writeFileSync(
      at('slurm.conf'),
      `ClusterName=one
SlurmctldHost=${node}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=${at('munge.socket')}
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
JobRequeue=1
SchedulerParameters=sched_interval=2
KillWait=5
StateSaveLocation=${at('state')}
SlurmdSpoolDir=${at('spool')}
SlurmctldPidFile=${at('slurmctld.pid')}
SlurmdPidFile=${at('slurmd.pid')}
SlurmctldLogFile=${at('slurmctld.log')}
SlurmdLogFile=${at('slurmd.log')}
SlurmctldPort=${port}
SlurmdPort=${port + 1}
NodeName=${node} NodeAddr=127.0.0.1 CPUs=${availableParallelism()} State=UNKNOWN
PartitionName=all Nodes=${node} Default=YES MaxTime=INFINITE State=UP
`,
    );
    this.daemon('munged', [
      '--foreground',
      '--force',
      `--key-file=${at('munge.key')}`,
      `--socket=${at('munge.socket')}`,
      `--pid-file=${at('munge.pid')}`,
      `--log-file=${at('munge.log')}`,
      `--seed-file=${at('munge.seed')}`,
    ]);
    await sleep(500);
    this.daemon('slurmctld', ['-D']);
    await sleep(1000);
    this.daemon('slurmd', ['-D']);
    await this.until(() => this.run('sinfo', '-h', '-o', '%T').includes('idle'));
  }

  private daemon(program: string, argv: string[]): void {
    this.daemons.push(spawn(program, argv, { env: this.env, stdio: 'ignore' }));
  }

  run(program: string, ...argv: string[]): string {
    return spawnSync(program, argv, { env: this.env, encoding: 'utf8' }).stdout;
  }

  async until(done: () => boolean, seconds = 300): Promise<void> {
    for (let tries = 0; !done(); tries++) {
      if (tries >= 2 * seconds) throw new Error(`Slurm: not there after ${seconds} s`);
      await sleep(500);
    }
  }

  async stop(): Promise<void> {
    this.run('scancel', '--signal=KILL', '--full', '--me');
    this.run('scancel', '--me');
    await this.until(() => this.run('squeue', '--noheader') === '', 20).catch(() => undefined);
    for (const daemon of this.daemons.reverse()) {
      const ended = new Promise((resolve) => daemon.once('exit', resolve));
      if (daemon.exitCode === null && daemon.kill('SIGTERM')) await Promise.race([ended, sleep(10_000)]);
      if (daemon.exitCode === null) daemon.kill('SIGKILL');
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
