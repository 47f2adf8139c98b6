-- Values: one lean row for each number or word of an Observation, so that a chart of thousands of
-- results is read without opening a single resource. Recomputed from resources at any time.
create table record.value (
  tenant     smallint    not null,
  patient    text        not null collate "C",
  kind       "char"      not null,             -- l laboratory, v vital sign, o other
  at         timestamptz not null,             -- when it was true (effective time)
  resource   text        not null collate "C", -- Observation id
  part       smallint    not null,             -- 0 the observation itself, 1.. its components
  system     text        not null,
  code       text        not null collate "C",
  label      text        not null,             -- in the sender's words
  unit       text        not null,
  method     text        not null,
  shown      text        not null,             -- the value as the sender wrote it
  number     numeric,
  comparator text        not null default '',
  flag       text        not null default '',
  low        numeric,
  high       numeric,
  range      text        not null default '',
  status     text        not null,
  former     text        not null default '',  -- what a correction replaced
  updated    timestamptz not null,
  primary key (tenant, resource, part)
);
create index value_patient on record.value (tenant, patient, kind, code, at desc);
comment on table record.value is 'One row per value of an Observation, what charts and tables read';

alter table record.value enable row level security;
create policy tenant on record.value
  using (tenant = current_setting('liane.tenant')::smallint);
