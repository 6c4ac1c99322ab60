-- XML replies: the tree, and what is refused.

local xml = require "pgorch.xml"

describe("xml.parse", function()
  it("gives a tree", function()
    local root = xml.parse [[<?xml version="1.0" encoding="UTF-8"?>
      <Error xmlns="http://x/"><Code>NoSuchKey</Code><Message></Message><Key>a &amp; &#252;</Key></Error>]]
    expect(root.name).is "Error"
    expect(root.attributes.xmlns).is "http://x/"
    expect(root:text_of "Code").is "NoSuchKey"
    expect(root:text_of "Message").is ""
    expect(root:text_of "Key").is "a & ü"
    expect(root:text_of "Nothing").is(nil)
  end)

  it("finds at any depth and lists children in order", function()
    local root = xml.parse "<L><C><K>1</K></C><C><K>2</K></C><N><C/></N></L>"
    expect(#root:all "C").is(2)
    expect(root:all("C")[2]:text_of "K").is "2"
    expect(root:find("N").name).is "N"
  end)

  it("refuses what is not XML, and document types", function()
    for _, bad in ipairs { "", "text", "<a>", "<a></b>", "<a/><b/>", "<a>\xff</a>", "<html><br></html>",
      "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "<a>&x;</a>" } do
      expect(function() xml.parse(bad) end):raises "PGO-XML"
    end
    expect(function() xml.parse(("<a>"):rep(500) .. ("</a>"):rep(500)) end):raises "PGO-XML"
  end)

  it("escapes", function()
    expect(xml.escape [[a<b>&"c']]).is "a&lt;b&gt;&amp;&quot;c&apos;"
  end)
end)
