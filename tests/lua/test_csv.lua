-- CSV as spreadsheets and psql write it: what is written is read back as it was, and what is wrong is said with its
-- place.

local csv = require "pgorch.csv"

local function cells(text)
  local records, why = csv.parse(text)
  if not records then return why end
  local lists = {}
  for i, each in ipairs(records) do lists[i] = { table.unpack(each) } end
  return lists
end

describe("csv.parse", function()
  it("takes quotes, commas and line breaks inside of them, and doubled quotes", function()
    expect(cells 'a,b\n"x, y","say ""hi""\nagain"\n').same { { "a", "b" }, { "x, y", 'say "hi"\nagain' } }
    expect(cells '"",b,\n').same { { "", "b", "" } }
  end)

  it("takes CRLF, a byte order mark, blank lines, and no line break at the end", function()
    expect(cells "\u{FEFF}a,b\r\n\r\n1,2\r\n\n3,4").same { { "a", "b" }, { "1", "2" }, { "3", "4" } }
    expect(cells "").same {}
  end)

  it("knows the line on which each record begins", function()
    local records = csv.parse 'id\n"one\ntwo"\n\nthree\n'
    expect(records[1].line).is(1)
    expect(records[2].line).is(2)
    expect(records[3].line).is(5)
  end)

  it("says where a quote is wrong", function()
    expect(cells 'a\n1,"x').is "line 2, cell 2: the quote that begins here never ends"
    expect(cells 'a\n1,"x"y\n').is "line 2, cell 2: `y` follows the end of a quoted cell"
    expect(cells 'a\nx"y\n').is "line 2, cell 1: a quote inside a cell that does not begin with one"
  end)

  it("reads what csv.text writes", function()
    local rows = { { id = "a,b", note = 'two\nlines and a "quote"' }, { id = "", note = "plain" } }
    local records = csv.parse(csv.text(rows, { "id", "note" }))
    expect({ table.unpack(records[2]) }).same { "a,b", rows[1].note }
    expect({ table.unpack(records[3]) }).same { "", "plain" }
  end)
end)
