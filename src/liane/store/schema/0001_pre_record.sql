-- The record: the current version of each resource, its earlier versions, and what finds it.
-- The reasons and measurements are in docs/decisions/0003-record-store.md.

create extension if not exists pg_trgm;
create extension if not exists btree_gin;

do $$
begin
  if exists (select from pg_roles where rolname = 'liane_app')
     and current_user = 'liane_owner' then
    alter default privileges grant usage on schemas to liane_app;
    alter default privileges grant select, insert, update, delete on tables to liane_app;
    alter default privileges grant usage, select on sequences to liane_app;
    grant usage on schema store to liane_app;
    grant select on store.migration to liane_app;
  end if;
end $$;

create schema record;

create sequence record.rid as bigint increment by 500;

-- Live resources only: a deleted one leaves this table and stands in record.history.
create table record.resource (
  rid bigint not null primary key,
  tenant smallint not null,
  type text collate "C" not null,
  id text collate "C" not null,
  version int not null,
  updated timestamptz not null,
  patient text collate "C",
  at timestamptz,
  body text not null,
  keys bigint[] not null,
  unique (tenant, type, id)
);
create index resource_patient on record.resource (tenant, patient, type, at desc)
  where patient is not null;
-- The type stands last and rid nowhere: on a table that is being filled, without statistics yet,
-- the planner must have no reason to take these instead of the keys that lead to one row.
create index resource_updated on record.resource (tenant, updated, type);
alter table record.resource alter column body set storage main;

-- Versions that are no longer current. A deletion is a version with an empty body.
create table record.history (
  tenant smallint not null,
  type text collate "C" not null,
  id text collate "C" not null,
  version int not null,
  updated timestamptz not null,
  deleted boolean not null,
  patient text collate "C",
  body text not null,
  primary key (tenant, type, id, version)
);
create index history_updated on record.history (tenant, updated, type);
create index history_patient on record.history (tenant, patient, updated) where patient is not null;

alter table record.resource enable row level security;
create policy tenant on record.resource
  using (tenant = current_setting('liane.tenant')::smallint);
alter table record.history enable row level security;
create policy tenant on record.history
  using (tenant = current_setting('liane.tenant')::smallint);

-- Search keys. h is a 64-bit hash of tenant, type, parameter and value (or tenant, type and
-- parameter), so these tables hold no readable value and no tenant column; what they find is read
-- from record.resource, where the policy stands. s is minus the clinical date in milliseconds.
create table record.ix (
  h bigint not null,
  s bigint not null,
  rid bigint not null,
  primary key (h, s, rid)
) with (autovacuum_vacuum_scale_factor = 0.02);

-- Dates as intervals in milliseconds, the end excluded.
create table record.ix_date (
  h bigint not null,
  low bigint not null,
  high bigint not null,
  rid bigint not null,
  primary key (h, low, high, rid)
);

create table record.ix_number (
  h bigint not null,
  low double precision not null,
  high double precision not null,
  rid bigint not null,
  primary key (h, low, high, rid)
);

-- Names can be read here, so the tenant and the policy stand here too.
create table record.ix_text (
  tenant smallint not null,
  h bigint not null,
  value text collate "C" not null,
  rid bigint not null,
  primary key (tenant, h, value, rid)
);
alter table record.ix_text enable row level security;
create policy tenant on record.ix_text
  using (tenant = current_setting('liane.tenant')::smallint);

-- Words of letters, reports and notes.
create table record.content (
  rid bigint not null primary key,
  tenant smallint not null,
  type text collate "C" not null,
  patient text collate "C",
  words tsvector not null
);
create index content_patient on record.content (tenant, patient, type);
create index content_words on record.content using gin (tenant, type, words);
alter table record.content enable row level security;
create policy tenant on record.content
  using (tenant = current_setting('liane.tenant')::smallint);

-- Row-level security would forbid the word index to the application (the operator @@ is not
-- leak-proof). This function may use it; it asks for the tenant itself and gives row numbers only.
create function record.find_words(searched tsquery, wanted_type text, most int)
returns setof bigint
language sql stable security definer
set search_path = pg_catalog, record
as $$
  select c.rid from record.content c
  where c.tenant = current_setting('liane.tenant')::smallint
    and c.type = wanted_type
    and c.words @@ searched
  limit most
$$;
