-- The record of runs, version 3, in PostgreSQL: events are never changed, and go only with their run.

create function refuse_change_of_event() returns trigger language plpgsql set search_path = pgorch as $$
begin
  if tg_op = 'UPDATE' then
    raise exception 'events are never changed';
  end if;
  if exists (select 1 from run where id = old.run) then
    raise exception 'events go only with their run';
  end if;
  return old;
end
$$;

create trigger event_stays_as_it_is before update on event
  for each row execute function refuse_change_of_event();

create trigger event_goes_with_its_run before delete on event
  for each row execute function refuse_change_of_event();
