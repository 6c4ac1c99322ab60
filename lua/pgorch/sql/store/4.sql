-- The record of runs, version 4: batches. A row of a batch is one database to move, by one run; who may write to a row
-- is told by its fence, as with runs. `schedule` in meta grows with each change that decides what may start next.

insert into meta (name, value) values ('schedule', 1);

create table batch (
  name           text primary key,
  options        text not null,             -- window, limits, canary, stop_after, attempts
  state          text not null,             -- running, paused, draining, stopped, done
  reason         text,                      -- why it is stopped
  waves_approved bigint not null default 0,
  continued_at   bigint not null default 0, -- failures before it are forgiven
  created_at     bigint not null,
  updated_at     bigint not null
);

create table batch_row (
  batch       text not null references batch (name) on delete cascade,
  id          text not null,
  position    bigint not null,              -- in the manifest
  recipe      text not null,
  recipe_path text not null,
  recipe_hash text not null,
  argv        text not null,                -- the words after `run RECIPE`; of secrets only where they come from
  labels      text,
  scopes      text,                         -- what limits count: provider, instance, storage, account by service
  priority    bigint not null default 0,
  grp         text,
  depends_on  text,
  state       text not null,                -- ready, running, waiting, done, failed, stopped, refused, blocked, attention
  run         text,                         -- set with the first claim, before anything is done
  stands      bigint not null default 0,    -- 1: what its run did may still stand
  attempt     bigint not null default 0,    -- how often it was started, those that do not count left out
  not_before  bigint,
  worker      text,
  lease_until bigint,                       -- by the server's clock; null in a store of one machine
  fence       bigint not null default 0,    -- one more with each claim
  estimate    double precision,             -- seconds
  exit_status bigint,
  error       text,
  progress    text,                         -- step, title, fraction, bytes, rate, eta, gate
  findings    text,
  started_at  bigint,
  ended_at    bigint,
  primary key (batch, id)
);

-- What happened to rows and batches; never progress.
create table batch_event (
  batch  text not null references batch (name) on delete cascade,
  seq    bigint not null,
  at     bigint not null,
  row_id text,
  kind   text not null,
  data   text not null,
  primary key (batch, seq)
);

-- Which rows of a group have come to a point that none passes before all are there, and what became of it: decided
-- once, for all of them. Rows that are tried again begin with nobody there.
create table barrier (
  batch  text not null references batch (name) on delete cascade,
  grp    text not null,
  point  text not null,
  row_id text not null,
  at     bigint not null,
  primary key (batch, grp, point, row_id)
);

create table barrier_decision (
  batch    text not null references batch (name) on delete cascade,
  grp      text not null,
  point    text not null,
  decision text not null,                   -- go, abort
  reason   text,
  at       bigint not null,
  primary key (batch, grp, point)
);

-- Requests that may still be sent with one token, by its digest.
create table budget (
  key        text primary key,
  tokens     double precision not null,     -- below 0: that many are promised already
  at         bigint not null,
  slow_until bigint not null
);
