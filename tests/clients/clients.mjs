#!/usr/bin/env node
// Drives a running anomd through the official JavaScript clients of five
// generations over the life of a job, and checks every count.
//
//   node clients.mjs --url URL --data FILE [--only NAME,...]
//       [--user NAME --password PASSWORD]
//
// FILE is what dev/example-data writes. With a user, who may do anything, the
// clients log in, and their calls for keys are tested, too. One line a step;
// the last line has the totals. Jobs named clients-* on that server are
// deleted first.
import assert from 'node:assert/strict'
import buffer from 'node:buffer'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import { Readable } from 'node:stream'
import { parseArgs } from 'node:util'

// Client 9 brings an HTTP library made for Node 20, where File is global;
// Node 18, which Debian 12 has, keeps it in node:buffer.
globalThis.File ??= buffer.File

const require = createRequire(import.meta.url)
const { values: option } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:9200' },
    data: { type: 'string' },
    user: { type: 'string' },
    password: { type: 'string' },
    only: { type: 'string', default: 'es9,es8,es7,es6,legacy' }
  }
})
const login = option.user === undefined
  ? undefined
  : { username: option.user, password: option.password }
const settings = auth =>
  ({ node: option.url, requestTimeout: 60000, maxRetries: 0, auth })

// ---- one face for five clients: call(name, path and query, body, data)

const camel = name => name.replace(/_(\w)/g, (_, c) => c.toUpperCase())

// 8 and 9: everything in one object, the answer bare.
function flat (name, auth) {
  const client = new (require(name).Client)(settings(auth))
  return {
    info: () => client.info(),
    ping: () => client.ping(),
    cat: params => client.cat.mlJobs(params),
    security: (api, body) => client.security[camel(api)](body),
    call: (api, params, body, data) => client.ml[camel(api)](
      { ...params, ...body, ...(data === undefined ? {} : { data }) }),
    close: () => client.close()
  }
}

// 6 and 7: the body apart, the answer wrapped.
function wrapped (name, space, auth) {
  const client = new (require(name).Client)(settings(auth))
  return {
    info: async () => (await client.info()).body,
    ping: async () => (await client.ping()).body,
    cat: async params => (await client.cat.mlJobs(params)).body,
    security: async (api, body) =>
      (await client.security[camel(api)]({ body })).body,
    call: async (api, params, body, data) => (await space(client)[camel(api)](
      { ...params, body: data ?? body })).body,
    close: () => client.close()
  }
}

// The first client has no calls for machine learning: its transport takes
// method and path, and its serialiser makes the body.
const PATHS = {
  put_job: ['PUT', ''],
  get_jobs: ['GET', ''],
  update_job: ['POST', '/_update'],
  delete_job: ['DELETE', ''],
  open_job: ['POST', '/_open'],
  close_job: ['POST', '/_close'],
  flush_job: ['POST', '/_flush'],
  post_data: ['POST', '/_data'],
  get_job_stats: ['GET', '/_stats'],
  get_buckets: ['POST', '/results/buckets'],
  get_overall_buckets: ['POST', '/results/overall_buckets'],
  get_records: ['POST', '/results/records']
}

// These stand beside the jobs.
const OTHER_PATHS = {
  info: ['GET', '/info'],
  validate: ['POST', '/anomaly_detectors/_validate'],
  validate_detector: ['POST', '/anomaly_detectors/_validate/detector'],
  set_upgrade_mode: ['POST', '/set_upgrade_mode'],
  delete_expired_data: ['DELETE', '/_delete_expired_data']
}

function legacy (auth) {
  const client = new (require('elasticsearch').Client)({
    host: option.url,
    httpAuth: auth && `${auth.username}:${auth.password}`,
    log: [],
    requestTimeout: 60000,
    maxRetries: 0
  })
  return {
    info: () => client.info(),
    ping: () => client.ping(),
    call: (api, { job_id: id, ...query }, body, data) => {
      const [method, rest] = PATHS[api] ?? OTHER_PATHS[api]
      const below = PATHS[api] ? `/anomaly_detectors/${id}${rest}` : rest
      const path = `/_xpack/ml${below}`
      return client.transport.request(
        { method, path, query, body: data ?? body, bulkBody: !!data })
    },
    close: () => client.close()
  }
}

// list: what a list of documents becomes on the wire. bytes: whether the
// client takes buffers and streams. newline: whether it ends text with one.
// recent: whether it has the calls that 7.x brought. detector: the name that
// it has for the body of that call.
const CLIENTS = {
  es9: { make: a => flat('es9', a), list: 'lines', bytes: true, recent: true },
  es8: {
    make: a => flat('es8', a),
    list: 'array',
    bytes: true,
    recent: true,
    detector: true
  },
  es7: {
    make: a => wrapped('es7', c => c.ml, a),
    list: 'lines',
    bytes: true,
    recent: true
  },
  es6: {
    make: a => wrapped('es6', c => c.xpack.ml, a), list: 'array', bytes: true
  },
  legacy: { make: legacy, list: 'lines', bytes: false, newline: true }
}

// ---- the data, in parts that are posted one after the other

const LAST_BUCKET = 1455318600000
const ANOMALY = { first: 1455160200000, last: 1455161400000 }
const lines = fs.readFileSync(option.data, 'utf8').split(/(?<=\n)/)
const PARTS = 6
const part = i => lines.slice(Math.floor(lines.length * i / PARTS),
  Math.floor(lines.length * (i + 1) / PARTS))

// Every way of posting: the body for the client, and its bytes on the wire.
const joined = i => part(i).join('')
const WAYS = [
  ['text', i => joined(i), 0],
  ['text without the last newline', i => joined(i).slice(0, -1),
    kind => kind.newline ? 0 : -1],
  ['documents one against the other', i => joined(i).replaceAll('\n', ''),
    (kind, i) => -part(i).length + (kind.newline ? 1 : 0)],
  // [ , ] instead of the newlines: one byte more.
  ['a list', i => part(i).map(JSON.parse),
    kind => kind.list === 'array' ? 1 : 0],
  ['a buffer', i => Buffer.from(joined(i)), 0, 'bytes'],
  ['a stream', i => Readable.from([Buffer.from(joined(i).slice(0, 5000)),
    Buffer.from(joined(i).slice(5000))]), 0, 'bytes']
]

const CONFIG = {
  analysis_config: {
    bucket_span: '10m',
    detectors: [{
      function: 'mean',
      field_name: 'events_per_min',
      by_field_name: 'kpi_indicator',
      partition_field_name: 'host'
    }],
    influencers: ['kpi_indicator', 'host']
  },
  data_description: { time_field: 'timestamp', time_format: 'epoch_ms' }
}

// ---- steps

let passed = 0
let failed = 0

async function step (client, name, run) {
  try {
    await run()
    passed++
    console.log(`ok   ${client}: ${name}`)
  } catch (e) {
    failed++
    const body = e?.meta?.body ?? e?.body
    console.log(`FAIL ${client}: ${name}\n     ${e.message}` +
      (body ? '\n     ' + JSON.stringify(body) : ''))
  }
}

function same (got, want) {
  const part = Object.fromEntries(Object.keys(want).map(k => [k, got[k]]))
  assert.deepEqual(part, want)
}

// What the API refuses: the status, and its words in the error's reason.
async function refused (run, status, words) {
  await assert.rejects(run, e => {
    const body = e.meta?.body ?? e.body
    assert.equal(e.statusCode ?? e.status, status)
    if (words) assert.match(body.error.reason, words)
    return true
  })
}

// What manages jobs, and what tells of them.
async function manage (name, kind, client, call) {
  const check = (what, run) => step(name, what, run)
  const job = { job_id: `clients-${name}` }
  const plain = (api, ...rest) => client.call(api, ...rest)

  await check('ping', async () => { await client.ping() })
  await check('ml info', async () => {
    const info = await plain('info', {})
    same(info, { upgrade_mode: false })
    same(info.defaults.anomaly_detectors, { categorization_examples_limit: 4 })
    assert.match(info.limits.total_ml_memory, /^\d+mb$/)
  })
  await check('get', async () => {
    const { count, jobs } = await call('get_jobs')
    assert.equal(count, 1)
    same(jobs[0], job)
  })
  await check('put again', () => refused(() => call('put_job', {}, CONFIG),
    400, /The Id is already used/))
  await check('update', async () => {
    const changed = await call('update_job', {}, {
      description: 'changed', groups: ['clients']
    })
    same(changed, { ...job, description: 'changed', groups: ['clients'] })
  })
  await check('update of what cannot be', () => refused(
    () => call('update_job', {}, { detectors: [{ detector_index: 7 }] }),
    400, /Supplied detector_index \[7\] is >= the number of detectors \[1\]/))
  await check('validate', async () => same(
    await plain('validate', {}, CONFIG), { acknowledged: true }))
  const detector = d => plain('validate_detector', {},
    kind.detector ? { detector: d } : d)
  await check('validate a detector', async () => same(
    await detector({ function: 'count' }), { acknowledged: true }))
  await check('validate a wrong detector', () => refused(
    () => detector({ function: 'mean', by_field_name: 'airline' }),
    400, /^field_name must be set when the 'mean' function is used$/))
  await check('upgrade mode', async () => {
    same(await plain('set_upgrade_mode', { enabled: true }),
      { acknowledged: true })
    await refused(() => call('open_job'), 429,
      /^Cannot open jobs when upgrade mode is enabled$/)
    same(await plain('set_upgrade_mode', { enabled: false }),
      { acknowledged: true })
  })
  await check('delete expired data', async () => same(
    await plain('delete_expired_data', {}), { deleted: true }))
  if (!kind.recent) return
  await check('estimate', async () => {
    const made = await plain('estimate_model_memory', {}, {
      analysis_config: {
        bucket_span: '15m',
        detectors: [{
          function: 'max', field_name: 'responsetime', by_field_name: 'airline'
        }]
      },
      overall_cardinality: { airline: 50000 }
    })
    assert.equal(made.model_memory_estimate, '1573mb')
  })
  await check('cat', async () => {
    const rows = await client.cat({ format: 'json' })
    same(rows.find(r => r.id === job.job_id), { state: 'closed' })
  })
}

// Keys, for a client that has logged in.
async function keys (name, kind, client) {
  const check = (what, run) => step(name, what, run)
  const job = { job_id: `clients-${name}` }
  let key

  await check('authenticate', async () => same(
    await client.security('authenticate', {}), { username: option.user }))
  await check('create a key', async () => {
    key = await client.security('create_api_key', {
      name: 'clients', role_descriptors: { r: { cluster: ['monitor_ml'] } }
    })
    assert.ok(key.id && key.api_key)
  })
  await check('use a key', async () => {
    const other = kind.make({ apiKey: { id: key.id, api_key: key.api_key } })
    assert.ok(Array.isArray((await other.call('get_jobs', {})).jobs))
    await refused(() => other.call('delete_job', job), 403, /unauthorized/)
    await other.close()
  })
  await check('invalidate a key', async () => {
    const gone = await client.security('invalidate_api_key', { ids: [key.id] })
    assert.deepEqual(gone.invalidated_api_keys, [key.id])
    const other = kind.make({ apiKey: { id: key.id, api_key: key.api_key } })
    await refused(() => other.call('get_jobs', {}), 401)
    await other.close()
  })
}

async function life (name) {
  const kind = CLIENTS[name]
  const client = kind.make(login)
  const job = { job_id: `clients-${name}` }
  const call = (api, more, body, data) =>
    client.call(api, { ...job, ...more }, body, data)
  const check = (what, run) => step(name, what, run)

  await call('close_job', { force: true }).catch(() => {})
  await call('delete_job').catch(() => {})

  await check('info', async () => {
    const info = await client.info()
    assert.match(info.version.number, /^\d+\.\d+\.\d+$/)
    assert.equal(info.tagline, 'You Know, for Search')
  })
  await check('put', async () => {
    const made = await call('put_job', {}, CONFIG)
    same(made, { job_id: job.job_id, job_type: 'anomaly_detector' })
    same(made.analysis_config, { bucket_span: '10m' })
  })
  await manage(name, kind, client, call)
  if (login && kind.recent) await keys(name, kind, client)
  await check('open', async () => same(await call('open_job'),
    { opened: true }))

  let records = 0
  for (const [i, [way, body, change, needs]] of WAYS.entries()) {
    if (needs && !kind[needs]) continue
    const more = typeof change === 'function' ? change(kind, i) : change
    const n = part(i).length
    await check(`post as ${way}`, async () => {
      const counts = await call('post_data', {}, undefined, body(i))
      records += n
      same(counts, {
        job_id: job.job_id,
        processed_record_count: n,
        input_record_count: n,
        processed_field_count: 3 * n,
        input_field_count: 4 * n,
        input_bytes: Buffer.byteLength(joined(i)) + more,
        invalid_date_count: 0,
        missing_field_count: 0,
        out_of_order_timestamp_count: 0,
        latest_record_timestamp: JSON.parse(part(i).at(-1)).timestamp
      })
    })
  }
  if (!kind.bytes) { // the rest of the data, as text again
    await check('post the rest', async () => {
      const rest = joined(4) + joined(5)
      const counts = await call('post_data', {}, undefined, rest)
      records += counts.processed_record_count
    })
  }

  await check('flush', async () => same(
    await call('flush_job', {}, { calc_interim: true }),
    { flushed: true, last_finalized_bucket_end: LAST_BUCKET }))
  await check('stats', async () => {
    const { jobs: [stats] } = await call('get_job_stats')
    same(stats, { job_id: job.job_id, state: 'opened' })
    assert.equal(records, lines.length)
    same(stats.data_counts, {
      processed_record_count: lines.length,
      bucket_count: 2165,
      empty_bucket_count: 16
    })
  })
  await check('buckets', async () => {
    const page = await call('get_buckets', {}, {
      sort: 'anomaly_score', desc: true, page: { from: 0, size: 3 }
    })
    const top = page.buckets[0]
    assert.equal(page.buckets.length, 3)
    assert.ok(top.timestamp >= ANOMALY.first && top.timestamp <= ANOMALY.last,
      `the top bucket is at ${top.timestamp}`)
    assert.ok(page.buckets[1].anomaly_score <= top.anomaly_score)
  })
  await check('records', async () => {
    const page = await call('get_records', {}, {
      sort: 'record_score', desc: true, page: { from: 0, size: 3 }
    })
    const top = page.records[0]
    same(top, {
      function: 'mean', by_field_value: 'logins', partition_field_value: 'web-2'
    })
    assert.ok(top.actual[0] > 5 * top.typical[0], 'far above what is typical')
  })
  await check('overall buckets', async () => {
    const page = await call('get_overall_buckets', {}, {
      top_n: 2, bucket_span: '1h', overall_score: 1
    })
    assert.ok(page.count > 0)
    assert.equal(page.overall_buckets.length, page.count)
    const top = page.overall_buckets.reduce(
      (a, b) => b.overall_score > a.overall_score ? b : a)
    same(top, { bucket_span: 3600, result_type: 'overall_bucket' })
    assert.ok(top.timestamp <= ANOMALY.last &&
      top.timestamp + 3600000 > ANOMALY.first,
      `the top bucket is at ${top.timestamp}`)
    same(top.jobs[0],
      { job_id: job.job_id, max_anomaly_score: top.overall_score })
  })
  await check('close', async () => {
    same(await call('close_job'), { closed: true })
    const { jobs: [stats] } = await call('get_job_stats')
    same(stats, { state: 'closed' })
  })
  if (kind.recent) {
    await check('reset', async () => {
      same(await call('reset_job'), { acknowledged: true })
      const { jobs: [stats] } = await call('get_job_stats')
      same(stats.data_counts, { processed_record_count: 0, bucket_count: 0 })
    })
  }
  await check('delete', async () => {
    same(await call('delete_job'), { acknowledged: true })
    await assert.rejects(() => call('get_job_stats'),
      e => (e.statusCode ?? e.status) === 404)
  })
  await client.close()
}

for (const name of option.only.split(',')) await life(name)
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed ? 1 : 0)
