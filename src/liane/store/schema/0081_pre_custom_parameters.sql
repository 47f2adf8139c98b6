-- Search parameters that an establishment made itself, and how far their index is.
create table record.search_parameter (
  tenant smallint not null,
  id text not null collate "C",          -- of the SearchParameter resource; '$reindex' for a whole run
  code text not null,
  kind text not null,                    -- token, date, ...; '*' for a whole run
  bases text[] not null,
  targets text[] not null default '{}',
  expression text not null,
  url text not null default '',
  former jsonb,                          -- what it was, whose keys are still to be removed
  state text not null,                   -- waiting, indexing, active, removing, wrong, done
  problem text,
  total bigint not null default 0,
  done bigint not null default 0,
  last_rid bigint not null default 0,
  since text not null default '',        -- the transaction that made it known
  changed timestamptz not null,
  primary key (tenant, id)
);
alter table record.search_parameter enable row level security;
create policy tenant on record.search_parameter
  using (tenant = current_setting('liane.tenant')::smallint);
comment on table record.search_parameter is 'Custom search parameters and the state of their index';
