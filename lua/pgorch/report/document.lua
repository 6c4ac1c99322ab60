-- A page as one file that fetches nothing: its policy allows the style sheet and the script that are in it, by their
-- digests, and nothing else. Pure.

local crypto = require "pgorch.crypto"
local html   = require "pgorch.report.html"

local h = html.h

local document = {}

local function digest(text) return ("'sha256-%s'"):format(crypto.base64(crypto.sha256(text, "raw"))) end

local function policy(o)
  return ("default-src 'none'; style-src %s; %simg-src data:; base-uri 'none'; form-action 'none'"):format(
    digest(o.css), o.script and ("script-src %s; "):format(digest(o.script)) or "")
end

local function head(o)
  return h.head {
    h.meta { charset = "utf-8" },
    h.meta { http_equiv = "Content-Security-Policy", content = policy(o) },
    h.meta { name = "viewport", content = "width=device-width, initial-scale=1" },
    h.meta { name = "color-scheme", content = "light dark" },
    h.meta { name = "referrer", content = "no-referrer" },
    h.meta { name = "robots", content = "noindex" },
    h.link { rel = "icon", href = "data:," },
    h.title { o.title },
    h.style { html.raw(o.css) },
  }
end

---@param o {title: string, css: string, script?: string, body: any[]}   the script runs once all of the body is there
---@return string
function document.write(o)
  local body = h.body { o.body, o.script and h.script { html.raw(o.script) } }
  return "<!doctype html>\n" .. html.text(h.html { lang = "en", head(o), body }) .. "\n"
end

return document
