import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';

export const ROOT = path.join(__dirname, '../../..');
const FOLDER = '.github/workflows';

/** A step of a job, as far as the tests look. */
export interface Step {
  run?: string;
  uses?: string;
  with?: Record<string, unknown>;
}

/** A job; one that calls another workflow has `uses` in place of steps. */
export interface Job {
  uses?: string;
  steps?: Step[];
  permissions?: Record<string, string>;
  'timeout-minutes'?: number;
  needs?: string | string[];
  if?: string;
  strategy?: { matrix: Record<string, unknown[]> };
}

/** A workflow as GitHub reads it. */
export interface Workflow {
  on: Record<string, unknown>;
  permissions: Record<string, string>;
  concurrency: { group: string };
  jobs: Record<string, Job>;
}

/** A workflow and the text it was read from. */
export interface WorkflowFile {
  file: string;
  text: string;
  workflow: Workflow;
}

/** Every workflow of the project. */
export function workflows(): WorkflowFile[] {
  return readdirSync(path.join(ROOT, FOLDER)).map((name) => {
    const file = `${FOLDER}/${name}`;
    const text = readFileSync(path.join(ROOT, file), 'utf8');
    return { file, text, workflow: parse(text) as Workflow };
  });
}

/** All steps of a workflow. */
export const stepsOf = ({ workflow }: WorkflowFile): Step[] =>
  Object.values(workflow.jobs).flatMap(({ steps }) => steps ?? []);

/** Every line that a workflow has a shell run, with line breaks behind a backslash joined. */
export const commandsOf = (file: WorkflowFile): string[] =>
  stepsOf(file).flatMap(({ run }) => run?.replaceAll('\\\n', ' ').trim().split('\n') ?? []);
