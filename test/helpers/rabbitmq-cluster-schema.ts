import Validator, { type ValidationSchema } from 'fastest-validator';
import type { Manifest } from './manifests';
import { partErrors } from './kubernetes-schemas';

/** A field that a schema of Kubernetes itself describes, see PARTS. */
const part = { type: 'object', optional: true };
const text = { type: 'string', optional: true, empty: false };
const strict = (props: ValidationSchema) => ({ type: 'object', strict: true, optional: true, props });

/**
 * The fields of a RabbitmqCluster that DMR may use, written by hand from the API reference of the RabbitMQ Cluster Operator
 * 2.22 (`rabbitmq.com/v1beta1`): no package carries its schema. A field that is missing here may exist all the same.
 */
const RABBITMQ_CLUSTER: ValidationSchema = {
  $$strict: true,
  apiVersion: { type: 'equal', value: 'rabbitmq.com/v1beta1', strict: true },
  kind: { type: 'equal', value: 'RabbitmqCluster', strict: true },
  metadata: { ...part, optional: false },
  spec: {
    type: 'object',
    strict: true,
    props: {
      image: text,
      replicas: { type: 'number', integer: true, min: 0 },
      terminationGracePeriodSeconds: { type: 'number', integer: true, min: 0, max: 604_800, optional: true },
      tls: strict({
        secretName: text,
        caSecretName: text,
        disableNonTLSListeners: { type: 'boolean', optional: true },
      }),
      persistence: strict({ storageClassName: text, storage: { type: 'string', pattern: /^\d+(\.\d+)?[KMGTPE]i?$/ } }),
      resources: part,
      affinity: part,
      rabbitmq: strict({
        additionalConfig: { ...text, max: 100_000 },
        additionalPlugins: { type: 'array', items: 'string', max: 100, optional: true },
      }),
      override: strict({ statefulSet: strict({ spec: strict({ template: strict({ spec: part }) }) }) }),
    },
  },
};

interface RabbitmqCluster extends Manifest {
  spec: { resources?: object; affinity?: object; override?: { statefulSet: { spec: { template: object } } } };
}

const check = new Validator({ haltOnFirstError: false }).compile(RABBITMQ_CLUSTER);

/** What is wrong with a RabbitmqCluster: its own fields, and the parts that are Kubernetes' own. */
export async function rabbitmqClusterErrors(manifest: Manifest): Promise<string[]> {
  const { spec } = manifest as RabbitmqCluster;
  const own = await check(structuredClone(manifest));
  const parts = await Promise.all([
    partErrors('CoreV1ResourceRequirements', spec.resources ?? {}),
    partErrors('CoreV1Affinity', spec.affinity ?? {}),
    partErrors('CoreV1PodTemplateSpec', spec.override?.statefulSet.spec.template ?? {}),
  ]);
  return [...(own === true ? [] : own.map(({ field, message }) => `${field}: ${message ?? ''}`)), ...parts.flat()];
}
