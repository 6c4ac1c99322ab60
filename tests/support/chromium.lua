-- A real Chromium for the tests of pages: loads one at a width, in a colour scheme, and gives back the document and
-- what the page said on its console. It has a profile of its own each time, and asks nobody for anything by itself.

local fs      = require "pgorch.fs"
local html    = require "pgorch.report.html"
local json    = require "pgorch.json"
local process = require "pgorch.process"

local chromium = {}

---@return boolean
function chromium.is_there()
  return process.run({ "sh", "-c", "command -v chromium", check = false }).code == 0
end

local QUIET = { "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
  "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", "--hide-scrollbars",
  "--enable-logging=stderr" }

---@param url string
---@param o {width?: integer, dark?: boolean}
---@return string document
---@return string[] console  what the page complained of
function chromium.load(url, o)
  return fs.with_temporary("/tmp/pgorch-chromium-", function(dir)
    local words = { "chromium", env = { HOME = dir, XDG_CACHE_HOME = dir, XDG_CONFIG_HOME = dir }, timeout = 120,
                    limit = 1 << 26 }
    table.move(QUIET, 1, #QUIET, 2, words)
    words[#words + 1] = "--user-data-dir=" .. dir .. "/profile"
    words[#words + 1] = ("--window-size=%d,900"):format(o.width or 1400)
    words[#words + 1] = "--blink-settings=preferredColorScheme=" .. (o.dark and 0 or 1)
    words[#words + 1] = "--dump-dom"
    words[#words + 1] = url
    local ended, console = process.run(words), {}
    for line in ended.stderr:gmatch "[^\n]+" do
      if line:find("CONSOLE", 1, true) then console[#console + 1] = line end
    end
    return ended.stdout, console
  end)
end

-- The page without its own policy, which lets no script run.
local function with_script(page, script)
  local bare = page:gsub('<meta content="default%-src[^>]*>', "", 1)
  return (bare:gsub("</body>", function() return "<script>" .. script .. "</script></body>" end, 1))
end

-- No window is narrower than 500 px, a frame may be.
local FRAME = [[<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark">
  <style>body { margin: 0 } iframe { border: 0 }</style><iframe width="%d" height="900" srcdoc="%s"></iframe>]]

local UNESCAPED = { ["&amp;"] = "&", ["&lt;"] = "<", ["&gt;"] = ">", ["&quot;"] = '"', ["&nbsp;"] = "\u{A0}" }

---What a script finds of a page that writes it, as JSON, into an element `measured` of the window
---around it: tests/support/measure.js.
---@param page string
---@param script string
---@param o {width: integer, dark?: boolean}
---@return table
function chromium.measure(page, script, o)
  return fs.with_temporary("/tmp/pgorch-page-", function(dir)
    local framed = FRAME:format(o.width, html.escape(with_script(page, script)))
    fs.write(dir .. "/page.html", framed)
    local document = chromium.load("file://" .. dir .. "/page.html", { width = math.max(o.width, 1400), dark = o.dark })
    local text = document:match '<pre id="measured">(.-)</pre>'
    return json.decode((text:gsub("&%a+;", UNESCAPED)))
  end)
end

local LISTS = { "wide", "faint", "headings", "unnamed", "landmarks", "resources" }

---What is wrong with a page of that width, as it was measured: nothing of a good one.
---@param m table      of chromium.measure with measure.js
---@param width integer
---@return string[]
function chromium.faults(m, width)
  local list = {}
  if m.width ~= width then list[1] = ("it was %s wide, and not %d"):format(m.width, width) end
  if m.scroll_width > width then list[#list + 1] = ("it needs %s"):format(m.scroll_width) end
  for _, what in ipairs(LISTS) do
    if #m[what] > 0 then list[#list + 1] = ("%s: %s"):format(what, table.concat(m[what], "; ")) end
  end
  if m.headless_tables ~= 0 then list[#list + 1] = ("tables without a head: %s"):format(m.headless_tables) end
  return list
end

return chromium
