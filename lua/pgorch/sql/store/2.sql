-- The record of runs, version 2: who may write to a run, what another process asks of it, what shared things were like.

alter table run add column kind text not null default 'run';  -- run, rehearsal
alter table run add column fence bigint not null default 0;   -- one more each time that a process takes the run over
alter table run add column lease_until bigint;                -- by the server's clock; null in a store of one machine
alter table run add column request text;                      -- asked of the process that works on it: stop, rollback

alter table lock add column data text;                        -- of a counted name: what was there before the first run
