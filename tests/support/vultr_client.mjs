// The article's way through Vultr's API, walked by Vultr's own client (@vultr/vultr-node): node vultr_client.mjs, with
// VULTR_API_URL and VULTR_API_KEY. Prints what it found as one JSON object.
// The client returns errors as values.

import { createRequire } from 'node:module'

const packages = new URL('../../build/deps/provider-clients/node_modules/', import.meta.url)
const { initialize } = createRequire(packages)('@vultr/vultr-node')
const config = { baseUrl: process.env.VULTR_API_URL, apiKey: process.env.VULTR_API_KEY }

// The API takes 30 requests a second, and the client does not wait by itself.
const pause = () => new Promise((resolve) => setTimeout(resolve, 40))
const slowly = (calls) => new Proxy(calls, {
  get: (_, name) => async (parameters) => {
    await pause()
    return calls[name](parameters)
  }
})
const api = initialize(config)
const account = slowly(api.account), databases = slowly(api.databases), objectStorage = slowly(api.objectStorage)

function good(value) {
  if (value instanceof Error) throw value
  return value
}

const refusal = (value) => (value instanceof Error ? value.message : null)

// Asks until look() is what is wanted; every different answer.
async function until(wanted, look) {
  const seen = []
  for (;;) {
    const state = await look()
    if (seen.at(-1) !== state) seen.push(state)
    if (state === wanted) return seen
  }
}

const found = {}

// The database, and being let in.
found.account = good(await account.getAccountInfo()).account.email
found.wrong_key = refusal(await initialize({ ...config, apiKey: 'wrong' }).account.getAccountInfo())
found.labels = good(await databases.listDatabases()).databases.map((each) => each.label)
const id = good(await databases.listDatabases({ label: 'demo' })).databases[0].id
const one = { 'database-id': id }
const status = async () => good(await databases.getDatabase(one)).database.status
found.refused_list = refusal(await databases.updateDatabase({ ...one, trusted_ips: ['not-an-address'] }))
found.closed = good(await databases.updateDatabase({ ...one, trusted_ips: ['198.51.100.7/32'] })).database.status
found.busy = refusal(await databases.updateDatabase({ ...one, trusted_ips: [] }))
found.closing = await until('Running', status)
good(await databases.updateDatabase({ ...one, trusted_ips: ['198.51.100.7/32', '127.0.0.1/32'] }))
await until('Running', status)
found.database = good(await databases.getDatabase(one)).database
found.usage = good(await databases.usage(one)).usage
found.backups = good(await databases.getBackupInformation(one))
found.dbs = good(await databases.listDatabaseDbs(one)).dbs
found.versions = good(await databases.listAvailableVersions(one)).available_versions
found.plans = good(await databases.listPlans({ engine: 'pg', nodes: 1, region: 'ewr' })).plans.length
found.options = good(await databases.updateAdvancedOptions({ ...one, log_error_verbosity: 'TERSE' })).configured_options
found.user = good(await databases.createDatabaseUser({ ...one, username: 'reporter', password: 'a-secret-1' })).user
found.user = good(await databases.updateDatabaseUser({ ...one, username: 'reporter', password: 'a-secret-2' })).user
good(await databases.createDatabaseDb({ ...one, name: 'reports' }))
found.unknown = refusal(await databases.getDatabase({ 'database-id': 'nothing' }))

// Storage: the one that is there, and one that is made, gets new keys and goes.
found.storage = good(await objectStorage.listObjectStorages()).object_storages[0]
found.clusters = good(await objectStorage.getAllClusters()).clusters.map((each) => each.hostname)
const made = good(await objectStorage.createObjectStorage({ cluster_id: '9', label: 'short-lived' })).object_storage
const other = { 'object-storage-id': made.id }
const look = async () => good(await objectStorage.getObjectStorage(other)).object_storage
found.making = await until('active', async () => (await look()).status)
found.old_keys = await look()
found.new_keys = good(await objectStorage.regenerateObjectStorageKeys(other)).s3_credentials
good(await objectStorage.updateObjectStorage({ ...other, label: 'renamed' }))
found.renamed = (await look()).label
good(await objectStorage.deleteObjectStorage(other))
found.gone = refusal(await objectStorage.getObjectStorage(other))

console.log(JSON.stringify(found))
