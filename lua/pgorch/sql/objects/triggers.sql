-- Triggers with their definition, and whether they fire. Of a partition's copy of its parent's trigger (internal until
-- 14, not since 15) only one that fires otherwise than the parent's. Event triggers are not carried.
select 'trigger' as kind, format('%I.%I %I', n.nspname, c.relname, t.tgname) as name,
       concat_ws(E'\n', case when t.tgparentid = 0 then pg_get_triggerdef(t.oid) end,
                 case t.tgenabled when 'D' then 'disabled' when 'R' then 'enabled on a replica'
                                  when 'A' then 'enabled always' else 'enabled' end) as text
from pg_trigger t
join pg_class c on c.oid = t.tgrelid
join pg_namespace n on n.oid = c.relnamespace
left join pg_trigger parent on parent.oid = t.tgparentid
where case when t.tgparentid = 0 then not t.tgisinternal
           else t.tgenabled <> parent.tgenabled and t.tgname !~ '^RI_ConstraintTrigger_' end
  and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema' and c.relpersistence <> 't'
  and not exists (select from pg_depend d
                  where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
order by 1, 2;
