-- name: bounds
-- The first and last row numbers there are.
select coalesce(min(rid), 0) as low, coalesce(max(rid), 0) as high from record.resource
where tenant = current_setting('liane.tenant')::smallint;

-- name: writers_since_before
-- Units of work begun before an instant that may still commit with a time before it.
select count(*) from pg_stat_activity
where datname = current_database() and usename = current_user and backend_xid is not null
  and xact_start <= $1;

-- name: stretch
-- One stretch of the record as it stood at {at}: what has changed since is taken from the history.
-- {place} says which rows, {limit} who may see them. The type is no condition an index could take:
-- the rows of a stretch are read by their numbers, whatever the planner believes.
select r.type, r.patient, coalesce(h.body, r.body)
from record.resource r
left join lateral (
  select v.body, v.updated, v.deleted from record.history v
  where r.updated > {at} and v.tenant = r.tenant and v.type = r.type and v.id = r.id
    and v.updated <= {at}
  order by v.version desc limit 1
) h on true
where r.tenant = current_setting('liane.tenant')::smallint
  and {place} and {typed} and {limit}
  and (r.updated <= {at} or (h.body is not null and not h.deleted))
  and coalesce(h.updated, r.updated) > {since}
{order}

-- name: gone
-- What was deleted after {since} and stays so at {at}.
select h.type, h.patient, '{"request":{"method":"DELETE","url":' || to_json(h.type || '/' || h.id)::text || '}}'
from record.history h
where h.tenant = current_setting('liane.tenant')::smallint and h.deleted
  and h.updated > {since} and h.updated <= {at} and h.type = any({types}) and {limit}
  and not exists (select from record.resource n
                  where n.tenant = h.tenant and n.type = h.type and n.id = h.id)
  and h.version = (select max(version) from record.history x
                   where x.tenant = h.tenant and x.type = h.type and x.id = h.id)
