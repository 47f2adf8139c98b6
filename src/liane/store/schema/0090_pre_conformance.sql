-- What resources are checked against, beyond R4: loaded packages, and what each establishment
-- chose to block or to let pass.
create schema conformance;

-- One loaded package of definitions. Its resources stand in the record, as any other.
create table conformance.package (
  tenant smallint not null,
  name text collate "C" not null,
  version text collate "C" not null,
  title text not null,
  canonical text not null,
  sha256 bytea not null,
  added timestamptz not null,
  contents text[] not null,
  primary key (tenant, name, version)
);
comment on column conformance.package.contents is 'Type/id of every resource it brought';
alter table conformance.package enable row level security;
create policy tenant on conformance.package
  using (tenant = current_setting('liane.tenant')::smallint);

-- Changes in the transaction of every write that changes a definition, so that each process sees
-- with one small read whether what it keeps in memory is still true.
create table conformance.stamp (
  tenant smallint not null primary key,
  version bigint not null
);
alter table conformance.stamp enable row level security;
create policy tenant on conformance.stamp
  using (tenant = current_setting('liane.tenant')::smallint);

-- What an establishment does with a kind of finding; where nothing is said, the default holds.
-- The establishment '' speaks for the whole group.
create table conformance.choice (
  tenant smallint not null,
  establishment text collate "C" not null,
  kind text collate "C" not null,
  effect text collate "C" not null check (effect in ('block', 'warn', 'ignore')),
  changed timestamptz not null,
  primary key (tenant, establishment, kind)
);
alter table conformance.choice enable row level security;
create policy tenant on conformance.choice
  using (tenant = current_setting('liane.tenant')::smallint);
