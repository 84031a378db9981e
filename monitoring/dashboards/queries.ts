import { lines, type Row } from './grafana';

/** Several nodes count the same queues: the largest of their answers, for each agent. */
export const ofAgents = (gauge: string) => `max by (agent) (${gauge})`;

/** Adds the name of the agent as a label. While nodes disagree about a name, one of them is taken. */
export const named = (expr: string) =>
  `(${expr}) * on (agent) group_left (name) topk by (agent) (1, max by (agent, name) (dmr_agent_info))`;

/** What every process of ours has to say of itself. RabbitMQ's exporter has series of the same names. */
export function processes(role: 'server' | 'agent', only = ''): Row {
  const instance = '{{instance}}';
  const ours = (expr: string) => `${expr} * on (job, instance) group_left () dmr_build_info{role="${role}"${only}}`;
  return {
    title: 'Processes',
    panels: [
      lines('Event loop lag', 's', [{ expr: ours('nodejs_eventloop_lag_seconds'), legend: instance }]),
      lines('Memory', 'bytes', [
        { expr: ours('process_resident_memory_bytes'), legend: `${instance} resident` },
        { expr: ours('nodejs_heap_size_used_bytes'), legend: `${instance} heap` },
      ]),
      lines('CPU, cores', 'short', [
        { expr: ours('rate(process_cpu_seconds_total[$__rate_interval])'), legend: instance },
      ]),
    ],
  };
}
