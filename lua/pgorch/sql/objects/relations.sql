-- Tables, partitioned and foreign tables, views and materialized views, with all that a dump carries of them but their
-- columns. What an extension owns comes with the extension. The order of columns is not told where a table inherits:
-- a dump may join its own and the inherited ones in another order. The query of a view is read apart, by its number:
-- views.sql.
with owned as (
  select objid from pg_depend where classid = 'pg_class'::regclass and deptype = 'e'
)
select case c.relkind when 'r' then 'table' when 'p' then 'partitioned table' when 'f' then 'foreign table'
                      when 'v' then 'view' else 'materialized view' end as kind,
       format('%I.%I', n.nspname, c.relname) as name,
       concat_ws(E'\n',
         case when c.relkind not in ('v', 'm') then 'columns ' || coalesce(
           (select string_agg(quote_ident(a.attname), ', ' order by
                              case when i.parents is null or c.relispartition then a.attnum end, a.attname collate "C")
            from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), 'none') end,
         case when c.relkind = 'r' then case c.relpersistence when 'u' then 'unlogged' else 'permanent' end end,
         case when c.reloftype <> 0 then 'of type ' || c.reloftype::regtype end,
         'partition by ' || pg_get_partkeydef(c.oid),
         case when c.relispartition then 'partition of ' || i.parents || ' ' || pg_get_expr(c.relpartbound, c.oid)
              else 'inherits ' || i.parents end,
         case when c.relkind in ('r', 'p') then
           'row security ' || case when not c.relrowsecurity then 'off' when c.relforcerowsecurity then 'forced'
                                   else 'on' end end,
         case when c.relkind in ('r', 'p', 'm') then
           case c.relreplident when 'n' then 'replica identity nothing' when 'f' then 'replica identity full' end end,
         case when am.amname <> 'heap' then 'using ' || quote_ident(am.amname) end,
         'with ' || (select string_agg(o, ', ' order by o collate "C")
                     from (select unnest(c.reloptions) union all
                           select 'toast.' || unnest(t.reloptions)) as options(o)),
         'server ' || quote_ident(s.srvname),
         'options ' || (select string_agg(format('%I ', f.option_name) ||   -- a secret is told apart, and not told
                          case when f.option_name ~* 'pass|secret|key|token|cred'
                               then format('(secret %s)',
                                           left(encode(sha256(convert_to(f.option_value, 'UTF8')), 'hex'), 4))
                               else quote_literal(f.option_value) end,
                          ', ' order by f.option_name collate "C")
                        from pg_options_to_table(ft.ftoptions) f),
         case when c.relkind = 'm' then case when c.relispopulated then 'populated' else 'not populated' end end
       ) as text,
       case when c.relkind in ('v', 'm') then c.oid::bigint end as view
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join pg_class t on t.oid = c.reltoastrelid
left join pg_am am on am.oid = c.relam
left join pg_foreign_table ft on ft.ftrelid = c.oid
left join pg_foreign_server s on s.oid = ft.ftserver
left join lateral (select string_agg(i.inhparent::regclass::text, ', ' order by i.inhseqno) as parents
                   from pg_inherits i where i.inhrelid = c.oid) i on true
where c.relkind in ('r', 'p', 'f', 'v', 'm') and c.relpersistence <> 't'
  and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
  and c.oid not in (select objid from owned)
order by 1, 2;
