---@meta pgorch.native.http
-- What host/lua/http.c provides: one request, without retries or redirects. Scripts use pgorch.http.

local http = {}

---Answers of any status are returned. `into` is ended only after a 2xx; what else happens to it is the caller's.
---@async
---@param options pgorch.http.Options
---@return pgorch.http.Reply
function http.request(options) end

---@class pgorch.http.Progress
local Progress = {}

---Bytes of bodies sent so far; repeated ones count again.
---@return integer
function Progress:sent() end

---@return integer
function Progress:received() end

---@return pgorch.http.Progress
function http.progress() end

---Where `location` leads from `base`; a secret if the base is one, nil if it leads nowhere.
---@param base string|userdata
---@param location string|userdata
---@return string|userdata|nil
function http.join(base, location) end

---"https://host" or "http://host:8080". Raises PGO-INVALID.
---@param url string|userdata
---@return string
function http.origin(url) end

---@param text string|number|userdata
---@return string|userdata
function http.escape(text) end

return http
