---@meta pgorch.steps
-- The steps that recipes are made of. Each is a step as it is, and a function of its options: `step.verify { ... }`.

---@class pgorch.ConfigurableStep: pgorch.Step
---@overload fun(options: table): pgorch.Step

---@class pgorch.steps
---Constructor for `uses.target`: a Heroku Postgres add-on of the app `p.app`.
---@field heroku_target fun(p: table): pgorch.Target
---@field credentials pgorch.ConfigurableStep        all keys, names and logins are tried
---@field allow_list pgorch.ConfigurableStep         our address is let in, and taken out at the end
---@field size pgorch.ConfigurableStep               {bytes, tables = {{key, schema, name, bytes}}, ...}
---@field choose_plan pgorch.ConfigurableStep        {plan, cents}
---@field choose_way pgorch.ConfigurableStep         {way, ways}: --via, or the fastest that is possible
---@field save_settings pgorch.ConfigurableStep      settings_postgres.csv in the run's folder
---@field preflight pgorch.ConfigurableStep          {source_major, extensions, clients, ...}
---@field backup_is_fresh pgorch.ConfigurableStep    options: within = "26h"
---@field bucket pgorch.ConfigurableStep             made if it is not there; private
---@field bucket_is_private pgorch.ConfigurableStep
---@field app pgorch.ConfigurableStep                found or created
---@field addon pgorch.ConfigurableStep              {name, id}: provisioned, and answers
---@field extensions pgorch.ConfigurableStep         {names}
---@field preflight_target pgorch.ConfigurableStep   {target_major}
---@field window_opens pgorch.ConfigurableStep       maintenance on, dynos to 0, source read-only
---@field fingerprint pgorch.ConfigurableStep        {snapshot, mark}; keeps ctx.live.snapshot
---@field dump_to_store pgorch.ConfigurableStep      {key, bytes}
---@field presign pgorch.ConfigurableStep            a signed URL, tried
---@field restore pgorch.ConfigurableStep            {uuid, num, seconds}
---@field copy pgorch.ConfigurableStep               --via direct: {tables, rows, bytes, seconds}
---@field pull pgorch.ConfigurableStep               --via heroku: {uuid, num, seconds}
---@field refresh_matviews pgorch.ConfigurableStep   {refreshed, failed}: those that came without their data
---@field checksum_source pgorch.ConfigurableStep    {sums, hash, objects, sequences, large}; options: content
---@field reapply_settings pgorch.ConfigurableStep   options: only = "safe" | "all" | "none"
---@field verify pgorch.ConfigurableStep             {tables, rows, objects, query_names}; options: content, queries
---@field analyze pgorch.ConfigurableStep            {tables}
---@field accept pgorch.ConfigurableStep             runs --accept CMD
---@field nothing_was_written pgorch.ConfigurableStep
---@field cut_over pgorch.ConfigurableStep           {vars}: the point of no return
---@field test_connections pgorch.ConfigurableStep
---@field window_closes pgorch.ConfigurableStep      options: source = "stays read-only" | "writable"
---@field delete_dump pgorch.ConfigurableStep        options: unless = "keep_dump"
---@field watch_source pgorch.ConfigurableStep     {clients = {{client, seen}}, strays, written}
local steps = {}

return steps
