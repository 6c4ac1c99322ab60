-- The part of the store where rows of a group wait for each other, and where the requests of one token are counted.

local Barriers = {}

-- The last one that comes decides; whoever fails before that does, too. Nobody decides again. A row that is moved is
-- not waited for: it is done, or something else is left to do there (9).
local GO = "insert into barrier_decision (batch, grp, point, decision, at) select $1, $2, $3, 'go', %s "
  .. "where not exists (select 1 from batch_row r where r.batch = $1 and r.grp = $2 and r.state <> 'done' "
  .. "and not (r.state = 'attention' and r.exit_status = 9) and not exists "
  .. "(select 1 from barrier b where b.batch = $1 and b.grp = $2 and b.point = $3 and b.row_id = r.id)) "
  .. "on conflict (batch, grp, point) do nothing"

local DECISION = "select decision, reason from barrier_decision where batch = $1 and grp = $2 and point = $3"

local function decided(rows)
  if rows[1] then return rows[1].decision, rows[1].reason end
end

-- As the process that works on the row's run: one that was taken over from decides nothing.
local function write(self, statements) return self:write(self.fence and self.fence.run, statements) end

---A row of a group has come to a point. With the last one (rows that are done are not waited for) all may go on.
---@param batch string
---@param group string
---@param point string
---@param row string
---@return "go"|"abort"|nil decision
---@return string|nil reason  of abort
function Barriers:arrive(batch, group, point, row)
  local now = self:now_sql()
  return decided((write(self, {
    { ("insert into barrier (batch, grp, point, row_id, at) values ($1, $2, $3, $4, %s) "
      .. "on conflict (batch, grp, point, row_id) do nothing"):format(now), batch, group, point, row },
    { GO:format(now), batch, group, point },
    { DECISION, batch, group, point },
  })))
end

---A row of a group cannot go on: before it puts anything back it says so. What was decided before stays.
---@param batch string
---@param group string
---@param point string
---@param reason string
---@return "go"|"abort" decision
---@return string|nil reason
function Barriers:abort_group(batch, group, point, reason)
  return decided((write(self, {
    { ("insert into barrier_decision (batch, grp, point, decision, reason, at) values ($1, $2, $3, 'abort', $4, %s) "
      .. "on conflict (batch, grp, point) do nothing"):format(self:now_sql()), batch, group, point, reason },
    { DECISION, batch, group, point },
  })))
end

---A row stops on the way: where nothing is decided yet it is waited for again.
---@param batch string
---@param group string
---@param row string
function Barriers:withdraw(batch, group, row)
  write(self, { { "delete from barrier where batch = $1 and grp = $2 and row_id = $3 and not exists (select 1 "
    .. "from barrier_decision d where d.batch = $1 and d.grp = $2 and d.point = barrier.point)", batch, group, row } })
end

---@param batch string
---@param group string
---@param point string
---@return "go"|"abort"|nil decision
---@return string|nil reason
function Barriers:decision(batch, group, point)
  return decided((self.db:query(DECISION, batch, group, point)))
end

---@param batch string
---@param group string
---@param point string
---@return table<string, boolean> rows  those that are there
function Barriers:arrived(batch, group, point)
  local there = {}
  for _, row in ipairs(self.db:query("select row_id from barrier where batch = $1 and grp = $2 and point = $3", batch,
    group, point)) do
    there[row.row_id] = true
  end
  return there
end

---@param batch string
---@param group string
---@return {id: string, state: string, run: string|nil, stands: boolean, exit_status: integer|nil}[]
function Barriers:group_rows(batch, group)
  local rows = self.db:query("select id, state, run, stands, exit_status from batch_row where batch = $1 and grp = $2 "
    .. "order by position", batch, group)
  for _, row in ipairs(rows) do row.stands = row.stands == 1 end
  return rows
end

-- A bucket may be drawn from before it is full again: who does waits for his turn, and the next one after him. A clock
-- that was set back fills nothing.
local TAKE = "insert into budget (key, tokens, at, slow_until) values ($1, $2 - $4, NOW, 0) "
  .. "on conflict (key) do update set at = NOW, tokens = case "
  .. "when NOW <= budget.at then budget.tokens "
  .. "when budget.tokens + (NOW - budget.at) * $3 / 1000000.0 > $2 then $2 "
  .. "else budget.tokens + (NOW - budget.at) * $3 / 1000000.0 end - $4"

---Takes so many requests out of the budget of a token, which all who share the store share.
---@param key string     a digest
---@param rate number    requests that come back in a second
---@param burst number   most that are kept
---@param count integer
---@return number seconds  to wait before the first of them is sent
---@return number tokens   that are left
function Barriers:take_permits(key, rate, burst, count)
  local now = self:now_sql()
  local row = self.db:batch {
    { (TAKE:gsub("NOW", now)), key, burst + 0.0, rate + 0.0, count + 0.0 },
    { ("select tokens, slow_until, %s as now from budget where key = $1"):format(now), key },
  }[1]
  return math.max(0, -row.tokens / rate, (row.slow_until - row.now) / 1e6), row.tokens
end

---The service itself counts fewer that are left.
---@param key string
---@param tokens number
function Barriers:lower_permits(key, tokens)
  self.db:batch { { "update budget set tokens = $2 where key = $1 and tokens > $2", key, tokens + 0.0 } }
end

---Nobody sends anything with that token for so long.
---@param key string
---@param seconds number
function Barriers:slow_down(key, seconds)
  local now = self:now_sql()
  local till = ("%s + %d"):format(now, math.ceil(seconds * 1e6))
  self.db:batch { { ("insert into budget (key, tokens, at, slow_until) values ($1, 0, %s, %s) on conflict (key) do "
    .. "update set slow_until = case when budget.slow_until > %s then budget.slow_until else %s end")
    :format(now, till, till, till), key } }
end

return Barriers
