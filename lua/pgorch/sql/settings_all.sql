-- settings_all
-- All of pg_settings, as the article saves it; what pgorch has set for its own session is shown as it is without.
select name, case when source = 'session' then reset_val else setting end as setting, unit, category, short_desc,
       extra_desc, context, vartype, source, min_val, max_val, enumvals::text as enumvals, boot_val, reset_val,
       sourcefile, sourceline, pending_restart
from pg_settings
order by name;
