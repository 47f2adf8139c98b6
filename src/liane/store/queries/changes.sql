-- name: append
-- One change that is not a resource, as a batch of its own.
with batch as (
  select nextval('record.batch') as batch
), queued as (
  insert into record.unannounced (tenant, batch, size) select $1::smallint, batch, 1 from batch
)
insert into record.change (batch, n, tenant, type, id, deleted, patient, written_at, facts)
select batch, 1, $1::smallint, $2, $3, false, $4, $5, $6::jsonb from batch;

-- name: since
-- Changes after a position, in order.
select a.last - a.size + c.n as position, c.type, c.id, c.version, c.deleted, c.patient, c.at,
       c.written_at, c.facts
from (
  select last, batch, size from record.announced
  where tenant = current_setting('liane.tenant')::smallint and last > $1
  order by last limit $2
) a
join record.change c on c.batch = a.batch
where a.last - a.size + c.n > $1 and c.tenant = current_setting('liane.tenant')::smallint
order by 1 limit $2;

-- name: position
-- The last position given.
select coalesce(max(last), 0) from record.announced
where tenant = current_setting('liane.tenant')::smallint;

-- name: announce
-- Give a place to every batch that is committed and has none, and wake the readers once.
with taken as (
  delete from record.unannounced returning tenant, batch, size
), tops as (
  select t.tenant,
         coalesce((select max(last) from record.announced a where a.tenant = t.tenant), 0) as top
  from (select distinct tenant from taken) t
), placed as (
  insert into record.announced (tenant, last, batch, size)
  select tenant, top + sum(size) over (partition by tenant order by batch), batch, size
  from taken join tops using (tenant)
  returning tenant, last
)
select tenant, max(last) as last, pg_notify('liane_changes', tenant || ':' || max(last))
from placed group by tenant;
