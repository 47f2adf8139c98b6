-- name: all
-- Every custom parameter and its state.
select id, code, kind, bases, targets, expression, url, former::text as former, state, problem,
  total, done, last_rid, since, changed
from record.search_parameter where tenant = current_setting('liane.tenant')::smallint order by id;

-- name: one
-- One of them.
select id, code, kind, bases, targets, expression, url, former::text as former, state, problem,
  total, done, last_rid, since, changed
from record.search_parameter
where tenant = current_setting('liane.tenant')::smallint and id = $1;

-- name: put
-- A new or changed parameter: its index is to be made; what it was before stays known until its
-- keys are removed.
insert into record.search_parameter
  (tenant, id, code, kind, bases, targets, expression, url, state, problem, changed, since)
values (current_setting('liane.tenant')::smallint, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10,
        pg_current_xact_id()::text)
on conflict (tenant, id) do update set
  former = case
    when (record.search_parameter.code, record.search_parameter.kind,
          record.search_parameter.bases, record.search_parameter.expression)
         is distinct from (excluded.code, excluded.kind, excluded.bases, excluded.expression)
    then coalesce(record.search_parameter.former, jsonb_build_object(
      'code', record.search_parameter.code, 'kind', record.search_parameter.kind,
      'bases', record.search_parameter.bases, 'expression', record.search_parameter.expression))
    else record.search_parameter.former end,
  code = excluded.code, kind = excluded.kind, bases = excluded.bases, targets = excluded.targets,
  expression = excluded.expression, url = excluded.url, state = excluded.state,
  problem = excluded.problem, total = 0, done = 0, last_rid = 0, since = excluded.since,
  changed = excluded.changed;

-- name: remove
-- Deleted or no longer active: its keys are to be removed.
update record.search_parameter
set state = 'removing', done = 0, total = 0, last_rid = 0, changed = $2,
    since = pg_current_xact_id()::text
where tenant = current_setting('liane.tenant')::smallint and id = $1;

-- name: forget
-- Its keys are gone.
delete from record.search_parameter
where tenant = current_setting('liane.tenant')::smallint and id = $1;

-- name: began
-- The walk over the resources begins.
update record.search_parameter set state = $2, total = $3, changed = $4
where tenant = current_setting('liane.tenant')::smallint and id = $1;

-- name: progressed
-- So far the walk has come.
update record.search_parameter set done = done + $2, last_rid = $3
where tenant = current_setting('liane.tenant')::smallint and id = $1;

-- name: turned
-- The walk has come to its end: what follows it.
update record.search_parameter
set state = $2, last_rid = 0, former = null, problem = $3, changed = $4
where tenant = current_setting('liane.tenant')::smallint and id = $1;

-- name: settled
-- Whether every transaction that may not know the parameter has ended.
select pg_snapshot_xmin(pg_current_snapshot()) > $1::text::xid8;

-- name: how_many
-- The resources of some types.
select count(*) from record.resource
where tenant = current_setting('liane.tenant')::smallint and type = any($1::text[]);

-- name: stretch
-- The next resources in the order of their rows, locked: no write changes them meanwhile.
select rid, type, id, at, body, keys from record.resource
where tenant = current_setting('liane.tenant')::smallint and rid > $1 and type = any($2::text[])
order by rid limit $3
for no key update;

-- name: keyed
-- Put and remove keys of rows: $1 rows, $2 their keys; $3 to $5 index keys to add, $6 to $8 to
-- remove.
with stored as (
  update record.resource r set keys = u.keys::bigint[]
  from unnest($1::bigint[], $2::text[]) as u(rid, keys) where r.rid = u.rid
), removed as (
  delete from record.ix x using unnest($6::bigint[], $7::bigint[], $8::bigint[]) as u(h, s, rid)
  where x.h = u.h and x.s = u.s and x.rid = u.rid
)
insert into record.ix (h, s, rid) select * from unnest($3::bigint[], $4::bigint[], $5::bigint[])
on conflict do nothing;

-- name: add_dates
-- Dates of rows.
insert into record.ix_date (h, low, high, rid)
select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) on conflict do nothing;

-- name: add_numbers
-- Numbers of rows.
insert into record.ix_number (h, low, high, rid)
select * from unnest($1::bigint[], $2::float8[], $3::float8[], $4::bigint[]) on conflict do nothing;

-- name: add_texts
-- Texts of rows.
insert into record.ix_text (tenant, h, value, rid)
select current_setting('liane.tenant')::smallint, *
from unnest($1::bigint[], $2::text[], $3::bigint[]) on conflict do nothing;

-- name: drop_dates
-- Dates of rows that no longer hold.
delete from record.ix_date x
using unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) as u(h, low, high, rid)
where x.h = u.h and x.low = u.low and x.high = u.high and x.rid = u.rid;

-- name: drop_numbers
-- Numbers of rows that no longer hold.
delete from record.ix_number x
using unnest($1::bigint[], $2::float8[], $3::float8[], $4::bigint[]) as u(h, low, high, rid)
where x.h = u.h and x.low = u.low and x.high = u.high and x.rid = u.rid;

-- name: drop_texts
-- Texts of rows that no longer hold.
delete from record.ix_text x using unnest($1::bigint[], $2::text[], $3::bigint[]) as u(h, value, rid)
where x.tenant = current_setting('liane.tenant')::smallint
  and x.h = u.h and x.value = u.value and x.rid = u.rid;

-- name: window
-- The last of the next $3 resources after row $1 of some types ($2).
select max(rid) from (
  select rid from record.resource
  where tenant = current_setting('liane.tenant')::smallint and rid > $1 and type = any($2::text[])
  order by rid limit $3
) w;

-- name: held_dates
-- Dates of the resources of some types ($3) from one row to another.
select x.rid, x.h, x.low, x.high from record.ix_date x join record.resource r on r.rid = x.rid
where x.rid > $1 and x.rid <= $2 and r.type = any($3::text[])
  and r.tenant = current_setting('liane.tenant')::smallint;

-- name: held_numbers
-- Numbers of the resources of some types from one row to another.
select x.rid, x.h, x.low, x.high from record.ix_number x join record.resource r on r.rid = x.rid
where x.rid > $1 and x.rid <= $2 and r.type = any($3::text[])
  and r.tenant = current_setting('liane.tenant')::smallint;

-- name: held_texts
-- Texts of the resources of some types from one row to another.
select x.rid, x.h, x.value from record.ix_text x join record.resource r on r.rid = x.rid
where x.rid > $1 and x.rid <= $2 and r.type = any($3::text[])
  and x.tenant = current_setting('liane.tenant')::smallint
  and r.tenant = current_setting('liane.tenant')::smallint;
