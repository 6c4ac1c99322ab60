-- Schedules of daily backups in the Heroku stand-in (Data API): kept, listed and removed under the config var that the
-- database is known by. They never come due: a sandbox does not live for a day.

local crypto = require "pgorch.crypto"
local data   = require "pgorch.sandbox.heroku.data"
local json   = require "pgorch.json"
local reply  = require "pgorch.sandbox.heroku.reply"
local stamp  = require "pgorch.sandbox.heroku.stamp"

local schedules = {}

local DAYS = { "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday" }

local function shape(schedule)
  return { uuid = schedule.uuid, name = schedule.name, hour = schedule.hour, days = json.array(DAYS),
    timezone = schedule.timezone, created_at = schedule.created_at, updated_at = schedule.updated_at,
    deleted_at = json.null, retain_weeks = schedule.retain_weeks, retain_months = schedule.retain_months }
end

local function list(server, request)
  return reply.list(data.addon(server, request.at.id).schedules, shape)
end

--- The hour comes as text from the CLI. A database has one schedule of a name: another one takes its place.
local function create(server, request)
  local addon, asked = data.addon(server, request.at.id), request.json
  local hour = math.tointeger(tonumber(asked.hour))
  if not hour or hour < 0 or hour > 23 then reply.invalid "hour must be between 0 and 23." end
  if type(asked.schedule_name) ~= "string" then reply.invalid "schedule_name is required." end
  for i, each in ipairs(addon.schedules) do
    if each.name == asked.schedule_name then table.remove(addon.schedules, i) break end
  end
  local schedule = { uuid = crypto.uuid(), name = asked.schedule_name, hour = hour,
    timezone = reply.given(asked.timezone) or "UTC", retain_weeks = addon.plan.essential and 1 or 4,
    retain_months = addon.plan.essential and 0 or 12, created_at = stamp(), updated_at = stamp() }
  table.insert(addon.schedules, schedule)
  return reply.json(201, shape(schedule))
end

local function delete(server, request)
  local addon = data.addon(server, request.at.id)
  for i, each in ipairs(addon.schedules) do
    if each.uuid == request.at.uuid or each.name == request.at.uuid then
      table.remove(addon.schedules, i)
      return reply.json(200, shape(each))
    end
  end
  reply.not_found("schedule", "Couldn't find that schedule.")
end

schedules.routes = {
  { "GET", "/client/v11/databases/:id/transfer-schedules", "schedules", list },
  { "POST", "/client/v11/databases/:id/transfer-schedules", "schedule.create", create },
  { "DELETE", "/client/v11/databases/:id/transfer-schedules/:uuid", "schedule.delete", delete },
}

return schedules
