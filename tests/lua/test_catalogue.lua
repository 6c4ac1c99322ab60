-- docs/errors.md is the table of errors, word for word.

local catalogue = require "pgorch.catalogue"
local fail      = require "pgorch.error"
local fs        = require "pgorch.fs"

describe("the catalogue of errors", function()
  it("is what docs/errors.md says", function()
    expect(fs.read "docs/errors.md").is(catalogue.page() .. "\n")
  end)

  it("says what to do, not only where to look", function()
    for id, word in pairs { ["PGO-WRITTEN"] = "pg_stat_activity", ["PGO-ACCEPT"] = "--accept",
                            ["PGO-RESTORE-LOSSY"] = "of each line" } do
      expect(fail.describe(id).cure).has(word)
      expect(fail.describe(id).cure).has "`pgorch resume RUN`"
    end
  end)
end)
