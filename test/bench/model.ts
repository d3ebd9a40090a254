// The nouns of the bench: set-ups that carry requests, and workloads that measure them.
import type { Place } from "./place.ts";

/** Where a visitor goes: an address, and the name to ask for there. */
export interface Target {
  readonly address: string;
  readonly port: number;
  readonly host: string;
}

/** Process ids of each part of a set-up at this moment; their children need not be listed. */
export type Roles = Readonly<Record<string, () => readonly number[]>>;

/** One way from a visitor to a local service. */
export interface Setup {
  readonly name: string;
  /** One line for the list. */
  readonly about: string;
  /** What has to be installed for it, undefined when all is there. */
  missing(): string | undefined;
  /** Starts what runs on the server. Whoever opens it closes it. */
  open(world: BenchWorld): Promise<Server>;
}

/** What runs on the server, ready for clients. */
export interface Server {
  readonly roles: Roles;
  /** Starts a client that leads to a port of the laptop's localhost. Resolves when it is started, not when it works. */
  connect(port: number, name: string): Promise<Link>;
  /**
   * As many tunnels in as few processes as the client allows, all working. Absent: cannot be measured.
   * @param prefix of their names, where tunnels have names
   */
  connectMany?(port: number, count: number, prefix: string): Promise<Link>;
  /** kill -9 of the processes that SSH connections end in, which are started again at once. Absent: cannot be tried. */
  crash?(): Promise<void>;
  close(): Promise<void>;
}

/** A started client. */
export interface Link {
  readonly target: Target;
  readonly pids: () => readonly number[];
  /** Each address of connectMany(). */
  readonly targets?: readonly Target[];
  /** All that its programs have printed, for error messages. */
  readonly output: () => string;
  close(): Promise<void>;
}

/** What set-ups are started in. */
export interface BenchWorld {
  /** The machine that visitors and servers are on. */
  readonly edge: Place;
  /** The machine of client and local service: the same one unless a WAN is between them. */
  readonly laptop: Place;
  /** Write CPU profiles of our own programs into this folder. */
  readonly profileDir: string | undefined;
  /** Cuts the WAN, or joins it again. Absent: there is none. */
  readonly setLine?: ((up: boolean) => void) | undefined;
}

/** One measurement of one set-up. */
export interface Sample {
  /** In the workload's unit. */
  readonly value: number;
  readonly p50Ms?: number | undefined;
  readonly p99Ms?: number | undefined;
  readonly maxMs?: number | undefined;
  readonly errors?: number | undefined;
  /** CPU seconds of each role for 10,000 requests, or for a GB. */
  readonly cpu?: Readonly<Record<string, number>> | undefined;
  /** Further figures, each with its unit in its name. */
  readonly detail?: Readonly<Record<string, number>> | undefined;
  /** Resident memory of each role in MiB right after the measurement. */
  readonly rssMib?: Readonly<Record<string, number>> | undefined;
}

/** Something that is measured. */
export interface Workload {
  readonly name: string;
  readonly about: string;
  readonly unit: string;
  readonly better: "more" | "less";
  /** What `cpu` of a sample is counted for. */
  readonly cpuPer?: string;
  /** Set-ups when none are named; the first of them that runs is the baseline. */
  readonly setups: readonly string[];
  readonly rounds: number;
  /** Runs over an emulated WAN, with these properties. */
  readonly wan?: WanSpec;
  /** Starts whatever the samples of one set-up have in common. */
  start(setup: Setup, world: BenchWorld, options: RunOptions): Promise<Subject>;
}

/** A set-up that is being measured. `sample` is called once a round. */
export interface Subject {
  sample(): Promise<Sample>;
  close(): Promise<void>;
}

export interface WanSpec {
  /** One way. */
  readonly delayMs: number;
  /** 0: no limit. */
  readonly mbitPerS: number;
  readonly mtu: number;
}

export interface RunOptions {
  /** How long one load measurement takes. */
  readonly seconds: number;
}
