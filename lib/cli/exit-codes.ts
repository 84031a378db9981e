/** How a command ends. From 64 on the codes are those of sysexits.h; 1 to 3 are verdicts of `keys check`. */
export const EXIT = {
  ok: 0,
  doesNotFit: 1,
  notListed: 2,
  listedKeyUnusable: 3,
  usage: 64,
  unusableInput: 65,
  noInput: 66,
  unavailable: 69,
  software: 70,
  cannotCreate: 73,
  config: 78,
} as const;

/** One of the codes that a command ends with. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
