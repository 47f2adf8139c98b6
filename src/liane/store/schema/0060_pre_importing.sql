-- Which files `liane import` has brought in whole, so that a second run, or one that goes on after
-- an interruption, passes them by.
create schema importing;

create table importing.file (
  tenant smallint not null,
  sha256 bytea not null,
  mapping bytea not null,
  name text not null,
  kind text not null,
  stored int not null,
  skipped int not null,
  at timestamptz not null,
  primary key (tenant, sha256, mapping)
);
alter table importing.file enable row level security;
create policy tenant on importing.file
  using (tenant = current_setting('liane.tenant')::smallint);
