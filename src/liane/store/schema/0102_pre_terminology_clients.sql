-- $closure: which concepts each client keeps a table of, under which name, and since when.
create table terminology.client_table (
  tenant  smallint    not null,
  client  text        not null,
  name    text        not null,
  version int         not null default 0,
  updated timestamptz not null,
  primary key (tenant, client, name)
);
comment on table terminology.client_table is 'Closure tables that clients keep ($closure)';

create table terminology.client_concept (
  tenant  smallint not null,
  client  text     not null,
  name    text     not null,
  system  text     not null collate "C",
  code    text     not null collate "C",
  version int      not null,
  primary key (tenant, client, name, system, code)
);
comment on table terminology.client_concept is 'Concepts in a closure table, and the version that added each';

alter table terminology.client_table enable row level security;
alter table terminology.client_concept enable row level security;
create policy tenant_wall on terminology.client_table
  using (tenant = current_setting('liane.tenant')::smallint);
create policy tenant_wall on terminology.client_concept
  using (tenant = current_setting('liane.tenant')::smallint);
