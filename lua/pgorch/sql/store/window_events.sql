-- What tells of the window of each run: when the steps that open and close it began, ended and were put back, and when
-- the run itself came to rest or began again.
select run, seq, at, kind, data
from event
where kind in ('step_begun', 'step_done', 'step_failed', 'step_skipped', 'undoing', 'undone', 'undo_failed')
    and (data like '%"window_opens"%' or data like '%"window_closes"%')
  or kind in ('running', 'taken_over', 'stopped', 'failed', 'done', 'put_back', 'undoing', 'undo_failed')
    and data not like '%"step":%'
order by run, seq
