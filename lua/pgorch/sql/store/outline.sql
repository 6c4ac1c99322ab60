-- What a list of all runs shows of each: the few steps that open and close the window, compare, and look for clients.
select run, id, state, attempt, remembered, result, started_at, ended_at
from step
where id in ('window_opens', 'window_closes', 'verify', 'watch_source')
