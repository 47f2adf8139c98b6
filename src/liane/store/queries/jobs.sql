-- name: enqueue
-- Queue a job unless the same work is waiting already.
insert into work.job (tenant, kind, key, payload, enqueued, run_at)
values ($1, $2, $3, $4::jsonb, $5, $6)
on conflict (tenant, kind, key) where attempts = 0 and failed is null do nothing
returning id;

-- name: claim
-- Take due jobs that nobody works on; a lease that ran out means its worker died.
-- The choice is made once, apart: inside a join it could be made again and exceed the limit.
with due as materialized (
  select id from work.job
  where tenant = current_setting('liane.tenant')::smallint and failed is null
    and run_at <= $2::timestamptz and kind = any($1::text[])
    and (lease_until is null or lease_until < $2::timestamptz)
  order by run_at, id limit $3
  for update skip locked
)
update work.job j
set attempts = attempts + 1, lease_until = $2::timestamptz + make_interval(secs => $4)
from due
where j.tenant = current_setting('liane.tenant')::smallint and j.id = due.id
returning j.id, j.kind, j.key, j.payload, j.attempts, j.enqueued;

-- name: extend
-- Still working: keep the lease.
update work.job set lease_until = $2
where tenant = current_setting('liane.tenant')::smallint and id = $1 and attempts = $3;

-- name: finish
-- Done.
delete from work.job
where tenant = current_setting('liane.tenant')::smallint and id = $1 and attempts = $2;

-- name: postpone
-- Failed this time: try again later, or leave it for a person.
update work.job
set lease_until = null, last_error = $3, run_at = coalesce($4, run_at), failed = $5
where tenant = current_setting('liane.tenant')::smallint and id = $1 and attempts = $2;

-- name: failures
-- Jobs that gave up and wait for a person.
select id, kind, key, payload, attempts, enqueued, failed, last_error from work.job
where tenant = current_setting('liane.tenant')::smallint and failed is not null
order by failed desc limit $1;

-- name: retry
-- A person wants a failed job tried again.
update work.job set failed = null, run_at = $2, attempts = 1, lease_until = null
where tenant = current_setting('liane.tenant')::smallint and id = $1 and failed is not null
returning id;
