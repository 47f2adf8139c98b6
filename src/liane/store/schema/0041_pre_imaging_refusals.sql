-- What the DICOM port turned away, counted by the hour, and a quick way to count what came in.
create table imaging.refusal (
  tenant   smallint    not null,
  since    timestamptz not null,
  partner  text        not null default '',
  address  text        not null,
  reason   text        not null,
  calling  text        not null default '',
  called   text        not null default '',
  detail   text        not null default '',
  times    bigint      not null,
  last_at  timestamptz not null,
  primary key (tenant, since, partner, address, reason)
);
comment on table imaging.refusal is
  'Machines and objects the DICOM port refused: one row per hour, machine and reason';
comment on column imaging.refusal.since is 'The beginning of the hour';
comment on column imaging.refusal.partner is 'The partner it was known as; empty: none';
comment on column imaging.refusal.calling is 'The AE title it gave itself the last time';
comment on column imaging.refusal.detail is 'What the machine was answered the last time';

alter table imaging.refusal enable row level security;
create policy tenant_wall on imaging.refusal
  using (tenant = current_setting('liane.tenant')::smallint);

create index instance_source on imaging.instance (tenant, source, received_at);
