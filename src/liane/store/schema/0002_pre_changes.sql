-- The change feed: what was committed, in one order that every reader sees alike.
-- A transaction writes one batch of changes and queues its number; after the commit the one
-- sequencer gives the batch its place. So no reader can pass by a slow transaction.

create sequence record.batch as bigint;

create table record.change (
  batch bigint not null,
  n int not null,
  tenant smallint not null,
  type text collate "C" not null,
  id text collate "C",
  version int,
  deleted boolean not null,
  patient text collate "C",
  at timestamptz,
  written_at timestamptz not null,
  facts jsonb,
  primary key (batch, n)
);
alter table record.change enable row level security;
create policy tenant on record.change
  using (tenant = current_setting('liane.tenant')::smallint);

-- Batches that are committed but have no place yet. No index: it is emptied many times a second.
-- No policy here and below: the sequencer serves all tenants, and these are numbers only.
create table record.unannounced (
  tenant smallint not null,
  batch bigint not null,
  size int not null
) with (autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0,
        autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_threshold = 1000000);

-- The place of each batch: its changes have the positions last - size + 1 to last, one row of
-- positions for each tenant.
create table record.announced (
  tenant smallint not null,
  last bigint not null,
  batch bigint not null,
  size int not null,
  primary key (tenant, last)
);

-- For people at psql.
create view record.feed with (security_invoker = true) as
  select a.last - a.size + c.n as position, c.tenant, c.type, c.id, c.version, c.deleted,
         c.patient, c.at, c.written_at, c.facts
  from record.announced a join record.change c on c.batch = a.batch and c.tenant = a.tenant;
