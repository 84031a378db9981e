/** How to reach one RabbitMQ node. */
export interface AmqpAccess {
  host: string;
  port: number;
  user: string;
  password: string;
  vhost: string;
}
