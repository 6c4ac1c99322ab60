// The article's way through Linode's API, walked by Linode's own client (@linode/api-v4): node linode_client.mjs, with
// LINODE_API_URL and LINODE_TOKEN. Prints what it found as one JSON object.
// The client knows one address only; an interceptor, as its documentation has it, leads it to the one that is given.

const packages = new URL('../../build/deps/provider-clients/node_modules/', import.meta.url)
const linode = await import(new URL('@linode/api-v4/lib/index.js', packages))
const origin = new URL(process.env.LINODE_API_URL).origin

linode.baseRequest.interceptors.request.use((config) => {
  config.url = config.url.replace('https://api.linode.com', origin)
  return config
})
linode.setToken(process.env.LINODE_TOKEN)

// What a refusal looks like in the client: its status, and the API's own reasons.
async function refusal(promise) {
  try {
    await promise
    return null
  } catch (error) {
    return { status: error.response?.status, errors: error.response?.data?.errors ?? error }
  }
}

async function until(status, id) {
  const seen = []
  for (;;) {
    const database = await linode.getEngineDatabase('postgresql', id)
    if (seen.at(-1) !== database.status) seen.push(database.status)
    if (database.status === status) return seen
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const found = {}

// The database, and being let in.
const all = await linode.getDatabases({ page_size: 25 })
found.labels = all.data.map((each) => each.label)
const named = await linode.getEngineDatabases('postgresql', {}, { label: 'demo' })
const id = named.data[0].id
found.results = named.results
found.engines = (await linode.getDatabaseEngines()).data.map((each) => each.id)
found.type = (await linode.getDatabaseType('g6-dedicated-2')).id
found.refused_list = await refusal(linode.updateDatabase('postgresql', id, { allow_list: ['not-an-address'] }))
const closed = await linode.updateDatabase('postgresql', id, { allow_list: ['198.51.100.7/32'] })
found.closing = [closed.status, ...(await until('active', id))]
await linode.updateDatabase('postgresql', id, { allow_list: [...closed.allow_list, '127.0.0.1/32'] })
await until('active', id)
found.database = await linode.getEngineDatabase('postgresql', id)
found.credentials = await linode.getDatabaseCredentials('postgresql', id)
found.ca = Buffer.from((await linode.getSSLFields('postgresql', id)).ca_certificate, 'base64').toString()
found.pools = (await linode.getDatabaseConnectionPools(id)).results
found.early = await refusal(linode.getDatabaseCredentials('postgresql', 126))
found.unknown = await refusal(linode.getEngineDatabase('postgresql', 999))

// A bucket, a key for it alone, a file, and its signed URL.
found.bucket = await linode.createBucket({ label: 'postgres-for-migration', region: 'us-east', acl: 'private' })
found.endpoints = (await linode.getObjectStorageEndpoints({})).data
const access = [{ bucket_name: 'postgres-for-migration', cluster: 'us-east-1', region: 'us-east', permissions: 'read_write' }]
found.key = await linode.createObjectStorageKeys({ label: 'migration', bucket_access: access, regions: ['us-east'] })
found.key_later = (await linode.getObjectStorageKeys()).data[0]
found.access = await linode.getBucketAccess('us-east', 'postgres-for-migration')
const put = await linode.getObjectURL('us-east', 'postgres-for-migration', 'data-for-migration.sql', 'PUT',
  { content_type: 'application/octet-stream' })
const sent = await fetch(put.url, { method: 'PUT', body: 'a dump', headers: { 'content-type': 'application/octet-stream' } })
found.put = [put.exists, sent.status]
found.object_url = await linode.getObjectURL('us-east', 'postgres-for-migration', 'data-for-migration.sql', 'GET',
  { expires_in: 300 })
found.objects = (await linode.getObjectList({ clusterId: 'us-east', bucket: 'postgres-for-migration' })).data
found.not_empty = await refusal(linode.deleteBucketWithRegion({ region: 'us-east', label: 'postgres-for-migration' }))

console.log(JSON.stringify(found))
