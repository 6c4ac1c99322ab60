-- Server settings that somebody chose; the article saves all of pg_settings, these are the ones that differ from the default.
select name, setting, unit, context, vartype, source, boot_val
from pg_settings
where source not in ('default', 'client', 'session', 'override') and setting is distinct from boot_val
order by 1;
