-- Where the Linode stand-in has object storage. Only us-east is there: its endpoint is the sandbox's S3 endpoint, or
-- the real object store in its place. The others are listed, as in the real list; one has no endpoint yet.

local places = {}

local ELSEWHERE = {
  { region = "us-ord", endpoint_type = "E1", s3_endpoint = "us-ord-1.linodeobjects.com" },
  { region = "nl-ams", endpoint_type = "E2" },
}

places.REGION, places.CLUSTER = "us-east", "us-east-1"

--- The host of the endpoint, as a client has to write it.
---@param state { s3: table }
---@return string
function places.host(state) return (state.s3.url:gsub("^https?://", ""):gsub("/.*$", "")) end

--- The same as the API tells it: without a scheme, but for a real store behind TLS on this machine.
---@param state { s3: table }
---@return string
function places.endpoint(state)
  return state.s3.url:find "^https:" and state.s3.url or places.host(state)
end

---@return { region: string, endpoint_type: string, s3_endpoint: string? }[]
function places.endpoints(state)
  return { { region = places.REGION, endpoint_type = "E0", s3_endpoint = places.endpoint(state) }, ELSEWHERE[1],
    ELSEWHERE[2] }
end

--- Is this the region, or the cluster as it was called before, where buckets can be?
---@param name any
---@return boolean
function places.is_here(name) return name == places.REGION or name == places.CLUSTER end

return places
