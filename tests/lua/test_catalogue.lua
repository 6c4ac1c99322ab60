-- docs/errors.md is the table of errors, word for word.

local catalogue = require "pgorch.catalogue"
local fs        = require "pgorch.fs"

describe("the catalogue of errors", function()
  it("is what docs/errors.md says", function()
    expect(fs.read "docs/errors.md").is(catalogue.page() .. "\n")
  end)
end)
