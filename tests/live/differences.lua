-- Where the stand-in is known to answer otherwise than a real account, and why it does: path -> reason. A path is that
-- of compare.lua ("plans.prices/standard-7", or all of "plans.prices"). An entry that no recording shows is an error.
return {}
