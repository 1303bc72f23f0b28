'use strict';
/*
 * A webhook handler as a Node team would write it, Fastify and node-postgres:
 * check the signature over the raw bytes, find the workspace of the phone
 * number, drop what came before, seal the body under the workspace's key, store
 * it, and answer once it is committed. The measure of test/bench/intake.bench.
 *
 * Environment: PGHOST, PGPORT, PGUSER, PGDATABASE; PORT; APP_SECRET;
 * NUMBERS (phone number ids, parted by commas); POOL (connections a process);
 * PROCESSES (1: no cluster).
 */
const cluster = require('node:cluster');
const { createCipheriv, createHash, createHmac, randomBytes, timingSafeEqual } = require('node:crypto');

const processes = Number(process.env.PROCESSES || 1);

const tables = `
  CREATE TABLE IF NOT EXISTS channel_route (phone_number_id text PRIMARY KEY, workspace_id bigint NOT NULL, data_key bytea NOT NULL);
  CREATE TABLE IF NOT EXISTS webhook_message (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id bigint NOT NULL,
    message_id text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    nonce bytea NOT NULL, body bytea NOT NULL, tag bytea NOT NULL,
    UNIQUE (workspace_id, message_id))`;

const insert = {
  name: 'store',
  text: `INSERT INTO webhook_message (workspace_id, message_id, nonce, body, tag)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (workspace_id, message_id) DO NOTHING`,
};

async function prepare() {
  const { Client } = require('pg');
  const client = new Client();
  await client.connect();
  await client.query(tables);
  let workspace = 0;
  for (const number of process.env.NUMBERS.split(',')) {
    const key = createHash('sha256').update('key of ' + number).digest();
    await client.query('INSERT INTO channel_route VALUES ($1, $2, $3) ON CONFLICT DO NOTHING', [number, ++workspace, key]);
  }
  await client.end();
}

async function serve() {
  const { Pool } = require('pg');
  const pool = new Pool({ max: Number(process.env.POOL || 10) });
  const app = require('fastify')({ logger: false, bodyLimit: 4 * 1024 * 1024 });
  const secret = process.env.APP_SECRET;
  // Routes change rarely: a team would keep them in memory too.
  const routes = new Map();
  for (const row of (await pool.query('SELECT * FROM channel_route')).rows) {
    routes.set(row.phone_number_id, { workspace: row.workspace_id, key: row.data_key });
  }

  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => done(null, body));

  app.post('/api/webhooks/wa', async (request, reply) => {
    const raw = request.body;
    const signature = request.headers['x-hub-signature-256'];
    const mac = createHmac('sha256', secret).update(raw).digest();
    const given = typeof signature === 'string' && signature.startsWith('sha256=') ? Buffer.from(signature.slice(7), 'hex') : Buffer.alloc(0);
    if (given.length !== mac.length || !timingSafeEqual(given, mac)) return reply.code(401).send();

    const writes = [];
    for (const entry of JSON.parse(raw).entry) {
      for (const { value } of entry.changes) {
        const route = routes.get(value.metadata.phone_number_id);
        if (route === undefined) continue;
        for (const message of value.messages || []) {
          const nonce = randomBytes(12);
          const cipher = createCipheriv('aes-256-gcm', route.key, nonce);
          cipher.setAAD(Buffer.from(message.id));
          const sealed = Buffer.concat([cipher.update(raw), cipher.final()]);
          writes.push(pool.query({ ...insert, values: [route.workspace, message.id, nonce, sealed, cipher.getAuthTag()] }));
        }
      }
    }
    await Promise.all(writes);
    return reply.send();
  });

  await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT), backlog: 1024 });
}

async function main() {
  if (cluster.isPrimary) await prepare();
  if (processes === 1 || !cluster.isPrimary) return serve();
  for (let i = 0; i < processes; i++) cluster.fork();
  process.on('SIGTERM', () => process.exit(0));
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
