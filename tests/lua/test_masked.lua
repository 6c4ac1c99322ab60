-- What is shown and kept of statements: no password of a definition, and everything else.

local masked = require "pgorch.restore.masked"

-- In `expected` "*" is the mask.
local function hides(text, expected)
  expect(masked.text(text)).is((expected:gsub("%*", "***")))
end

describe("statements as they are shown", function()
  it("hide the options of servers, user mappings and foreign tables", function()
    hides([[CREATE USER MAPPING FOR "a" SERVER "s" OPTIONS (
    "password" 'secret',
    "user" 'it''s (me), "you"'
);]], [[CREATE USER MAPPING FOR "a" SERVER "s" OPTIONS (
    "password" '*',
    "user" '*'
);]])
    hides([[x OPTIONS (password E'a\\\'secret''b', "o)'" '', "b" '''secret''') SET 'c']],
      [[x OPTIONS (password E'*', "o)'" '*', "b" '*') SET 'c']])
    hides("OPTIONS (a 'one') OPTIONS(b 'two'); COMMENT 'c'", "OPTIONS (a '*') OPTIONS(b '*'); COMMENT 'c'")
  end)

  it("hide them in statements within a statement", function()
    hides([[execute 'create server s options (p ''secret'', q ''it''''s'', r ''x'')'; select 'x']],
      [[execute 'create server s options (p '*', q '*', r '*')'; select 'x']])
  end)

  it("hide passwords of connection strings", function()
    hides([[CREATE SUBSCRIPTION s CONNECTION 'host=h password=secret' PUBLICATION p;]],
      [[CREATE SUBSCRIPTION s CONNECTION '*' PUBLICATION p;]])
    hides([[dblink('host=h password=secret user=u')]], [[dblink('host=h password=* user=u')]])
    hides([[dblink('host=h password = ''my secret'' user=u')]], [[dblink('host=h password = ''*'' user=u')]])
    hides([[dblink('postgres://u:secret@h/d', 'x')]], [[dblink('postgres://u:*@h/d', 'x')]])
  end)

  it("are masked to their end where they are cut off, but not what a program says next", function()
    hides("OPTIONS (password 'secr", "OPTIONS (password '*'")
    hides("Command was: x OPTIONS (\n    password 'secr\npg_restore: error: it's 'so'",
      "Command was: x OPTIONS (\n    password '*'\npg_restore: error: it's 'so'")
  end)

  it("stay as they are without such", function()
    for _, text in ipairs { "", "CREATE INDEX \"options\" ON t (a) WHERE b = 'c''d';", "SELECT '(options'",
                            "CREATE FUNCTION f() AS $$ select 'x' $$; password 'x'", "CONNECTION x" } do
      expect(masked.text(text)).is(text)
    end
  end)
end)
