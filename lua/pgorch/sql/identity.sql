-- Which server this is: another one has another identifier, a standby that took over another timeline. Some providers
-- do not let it be read.
select s.system_identifier::text as system, c.timeline_id as timeline from pg_control_system() s, pg_control_checkpoint() c;
