-- Publications of PostgreSQL 13 and 14, as not_carried.sql lists what is left behind. Newer ones: since_15.sql.
select 7 as part, 'publication' as kind, quote_ident(pubname) as name,
       format('create publication %I%s with (publish = %L%s)', pubname,
              case when puballtables then ' for all tables' else coalesce(' for table ' || (
                select string_agg(format('%I.%I', n.nspname, c.relname), ', ' order by n.nspname, c.relname)
                from pg_publication_rel r join pg_class c on c.oid = r.prrelid
                join pg_namespace n on n.oid = c.relnamespace
                where r.prpubid = p.oid), '') end,
              concat_ws(', ', case when pubinsert then 'insert' end, case when pubupdate then 'update' end,
                        case when pubdelete then 'delete' end, case when pubtruncate then 'truncate' end),
              case when pubviaroot then ', publish_via_partition_root' else '' end) as statement
from pg_publication p
order by 3;
