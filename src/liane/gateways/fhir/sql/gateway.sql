-- name: lock_criteria
-- Holds other writes with the same conditions until this transaction ends; always in one order, so
-- that two transactions with several conditions never wait for each other.
select pg_advisory_xact_lock(h) from (
  select distinct hashtextextended('fhir:' || current_setting('liane.tenant') || c, 0) as h
  from unnest($1::text[]) as c order by h
) ordered;

-- name: read_locked
-- The current version, which nobody else changes until this transaction ends.
select type, id, version, updated, false as deleted, body from record.resource
where tenant = current_setting('liane.tenant')::smallint and type = $1 and id = $2
for update;

-- name: read_many_locked
-- The current versions of the wanted resources, locked in one order, so that two writers never
-- wait for each other; for those that are not live, their deletion.
select w.type, w.id, coalesce(r.version, h.version) as version,
  coalesce(r.updated, h.updated) as updated, r.version is null as deleted,
  coalesce(r.body, '') as body
from (
  select type, id from unnest($1::text[], $2::text[]) as u(type, id) order by type, id
) w
left join lateral (
  select version, updated, body from record.resource
  where tenant = current_setting('liane.tenant')::smallint and type = w.type and id = w.id
  limit 1
  for update
) r on true
left join lateral (
  select version, updated from record.history
  where r.version is null
    and tenant = current_setting('liane.tenant')::smallint and type = w.type and id = w.id
  order by version desc limit 1
) h on true
where r.version is not null or h.version is not null;

-- name: history_at
-- Versions that were current at some moment between $4 and $5, newest first: written before its
-- end, and not followed before its start. $7 to $10 continue after a row.
select type, id, version, updated, deleted, body from (
  select tenant, type, id, version, updated, false as deleted, body from record.resource
  union all
  select tenant, type, id, version, updated, deleted, body from record.history
) v
where tenant = current_setting('liane.tenant')::smallint and type = any($1::text[])
  and ($2::text is null or id = $2)
  and ($3::timestamptz is null or updated >= $3)
  and updated < $5::timestamptz
  and not exists (
    select from record.history h
    where h.tenant = v.tenant and h.type = v.type and h.id = v.id and h.version = v.version + 1
      and h.updated <= $4::timestamptz
  )
  and not exists (
    select from record.resource r
    where r.tenant = v.tenant and r.type = v.type and r.id = v.id and r.version = v.version + 1
      and r.updated <= $4::timestamptz
  )
  and ($7::timestamptz is null or (updated, type, id, version) < ($7, $8::text, $9::text, $10::int))
order by updated desc, type desc, id desc, version desc limit $6;

-- name: everything
-- All that belongs to one patient, the patient first, then in the order it was stored.
select type, id, version, updated, false as deleted, body, rid
from record.resource
where tenant = current_setting('liane.tenant')::smallint and patient = $1
  and rid > $2 and (cardinality($4::text[]) = 0 or type = any($4::text[]))
  and ($5::timestamptz is null or updated >= $5)
order by rid limit $3;
