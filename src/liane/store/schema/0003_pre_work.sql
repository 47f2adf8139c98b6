-- Jobs: work that follows a commit and is tried again until it succeeds or a person looks.
create schema work;

create table work.job (
  tenant smallint not null,
  id bigint generated always as identity,
  kind text not null,
  key text not null,
  payload jsonb not null,
  enqueued timestamptz not null,
  run_at timestamptz not null,
  attempts int not null default 0,
  lease_until timestamptz,
  failed timestamptz,
  last_error text,
  primary key (tenant, id)
);
-- The same work is never queued twice; once a run has begun, a new wish is a new job.
create unique index job_once on work.job (tenant, kind, key)
  where attempts = 0 and failed is null;
create index job_due on work.job (tenant, run_at) where failed is null;
alter table work.job enable row level security;
create policy tenant on work.job using (tenant = current_setting('liane.tenant')::smallint);
