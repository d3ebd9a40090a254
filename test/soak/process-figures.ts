// What the kernel says of a process.
import { readdirSync, readFileSync } from "node:fs";

/** Resident memory, bytes. */
export const residentBytes = (pid: number): number =>
  Number(
    /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1],
  ) * 1024;

/** Open descriptors. */
export const openDescriptors = (pid: number): number =>
  readdirSync(`/proc/${pid}/fd`).length;

/** Watches the memory of a process. */
export function watchPeak(pid: number): { stop(): number } {
  let peak = residentBytes(pid);
  const timer = setInterval(() => {
    peak = Math.max(peak, residentBytes(pid));
  }, 100);
  return {
    stop() {
      clearInterval(timer);
      return peak;
    },
  };
}
