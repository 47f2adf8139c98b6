-- Requests answered later (bulk export and import, `Prefer: respond-async`): who asked for what,
-- how far the work has come, and what it gave. The work itself is a job of work.job.
create table work.request (
  tenant   smallint    not null,
  id       text        not null collate "C",
  kind     text        not null,
  actor    jsonb       not null,   -- the asker as known when asking: the work is done in this name
  asker    text        not null,   -- kind and id of the actor: only the asker sees the answer
  url      text        not null,
  ask      jsonb       not null,
  asked    timestamptz not null,
  run      int         not null default 0,    -- counts the runs; only the latest may write
  done     bigint      not null default 0,
  share    real,                              -- how much of the work is done, 0 to 1, when known
  place    jsonb       not null default '{}', -- where the next run goes on
  result   jsonb,
  failure  jsonb,
  finished timestamptz,
  expires  timestamptz,
  primary key (tenant, id)
);
create index request_open on work.request (tenant, asker) where finished is null;
comment on table work.request is 'Requests answered later, their progress and their answer';

alter table work.request enable row level security;
create policy tenant on work.request using (tenant = current_setting('liane.tenant')::smallint);
