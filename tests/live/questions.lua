-- The questions to a real account, in the order in which they are asked, and those that are not asked, with the reason.
-- A question is {id, about, ask = fn(live) -> answer}. `timed`: its answer depends on the moment and is recorded but
-- not compared. `real_only`: there is nobody to ask in a sandbox.

local questions = { list = {}, not_asked = {} }

for _, topic in ipairs { "platform", "database", "restore", "refusal", "addon" } do
  for _, question in ipairs(require("questions." .. topic)) do
    questions.list[#questions.list + 1] = question
  end
end

questions.not_asked = {
  ["account.no_payment_method"] = "error ids of 402: needs an account without a payment method, or a delinquent one",
  ["account.two_factor"] = "403 two_factor: needs an account that asks for a second factor, and its owner's phone",
  ["account.rate_limit_reached"] = "429: 4500 requests would have to be spent, and the account be blocked by it",
  ["restore.fetch_pattern"] = "whether Heroku sends HEAD, and how many ranged GETs: only the bucket's access log tells "
    .. "(restore.signed_for_get tells that GET alone is enough)",
  ["restore.queue"] = "how long a restore may be pending on a busy day: nothing that can be asked for",
  ["restore.large"] = "restores of gigabytes and of many large objects: more than essential-0 holds",
  ["extensions.dedicated"] = "extensions of Standard and Premium (plv8): needs such a database, $50 a month and more",
  ["plans.essential_2"] = "its table and connection limits: only an essential-2 database tells them ($20 a month)",
  ["plans.standard_2_and_up"] = "limits of standard-2 to standard-7: only such databases tell them ($200 to $3500)",
  ["database.dedicated"] = "info, credentials and settings of dedicated plans: needs one ($50 a month)",
  ["database.over_capacity"] = "what happens to a database that is too large: takes days, and mails its owner",
  ["team.apps"] = "apps of teams and private spaces: needs a team that pays",
  ["source.extras"] = "what Vultr, Linode and Aiven add to a database: needs a database there",
  ["pg_dump.archive_version"] = "archive versions of later pg_dumps: a question to PostgreSQL, not to Heroku",
}

return questions
