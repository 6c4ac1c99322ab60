-- The record of runs, version 3, in SQLite: events are never changed, and go only with their run.

create trigger event_stays_as_it_is before update on event
begin
  select raise(abort, 'events are never changed');
end;

create trigger event_goes_with_its_run before delete on event
when exists (select 1 from run where id = old.run)
begin
  select raise(abort, 'events go only with their run');
end;
