-- name: lock
-- The current versions of the wanted resources, locked in one order so that two writers never
-- wait for each other; for an absent one the last version its history knows.
select w.n, r.rid, r.version, r.updated, r.patient, r.at, r.body, r.keys
from unnest($1::text[], $2::text[]) with ordinality as w(type, id, n)
join record.resource r
  on r.tenant = current_setting('liane.tenant')::smallint and r.type = w.type and r.id = w.id
order by r.type, r.id
for update of r;

-- name: buried
-- The last version of resources that were deleted.
select w.n, h.version
from unnest($1::text[], $2::text[]) with ordinality as w(type, id, n)
cross join lateral (
  select version from record.history
  where tenant = current_setting('liane.tenant')::smallint and type = w.type and id = w.id
  order by version desc limit 1
) h;

-- name: insert_new
-- New resources with their keys, words and changes, in one round trip.
-- $1 tenant, $2 now; $3 to $10 one element for each resource ($9, $10: its slice of $11 keys);
-- $12 to $14 index; $15 to $18 dates; $19 to $22 numbers; $23 to $25 texts; $26 to $28 words;
-- $29 facts.
with stored as (
  insert into record.resource (rid, tenant, type, id, version, updated, patient, at, body, keys)
  select u.rid, $1::smallint, u.type, u.id, u.version, $2::timestamptz, u.patient, u.at, u.body,
         ($11::bigint[])[u.first:u.last]
  from unnest($3::bigint[], $4::text[], $5::text[], $6::int[], $7::text[], $8::timestamptz[],
              $30::text[], $9::int[], $10::int[])
       as u(rid, type, id, version, patient, at, body, first, last)
), keyed as (
  insert into record.ix (h, s, rid) select * from unnest($12::bigint[], $13::bigint[], $14::bigint[])
), dated as (
  insert into record.ix_date (h, low, high, rid)
  select * from unnest($15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[])
), numbered as (
  insert into record.ix_number (h, low, high, rid)
  select * from unnest($19::bigint[], $20::float8[], $21::float8[], $22::bigint[])
), named as (
  insert into record.ix_text (tenant, h, value, rid)
  select $1::smallint, * from unnest($23::bigint[], $24::text[], $25::bigint[])
), worded as (
  insert into record.content (rid, tenant, type, patient, words)
  select u.rid, $1::smallint, u.type, u.patient, to_tsvector('french', w.words)
  from unnest($26::bigint[], $27::int[], $28::text[]) as w(rid, n, words)
  join unnest($3::bigint[], $4::text[], $7::text[]) as u(rid, type, patient) on u.rid = w.rid
), batch as (
  select nextval('record.batch') as batch
), announced as (
  insert into record.unannounced (tenant, batch, size)
  select $1::smallint, batch, cardinality($3::bigint[]) from batch
)
insert into record.change
  (batch, n, tenant, type, id, version, deleted, patient, at, written_at, facts)
select batch, u.n, $1::smallint, u.type, u.id, u.version, false, u.patient, u.at, $2::timestamptz,
       u.facts::jsonb
from batch,
     unnest($4::text[], $5::text[], $6::int[], $7::text[], $8::timestamptz[], $29::text[])
     with ordinality as u(type, id, version, patient, at, facts, n);

-- name: read
-- The current version.
select type, id, version, updated, false as deleted, body from record.resource
where tenant = current_setting('liane.tenant')::smallint and type = $1 and id = $2;

-- name: read_many
-- The current versions of many resources of one type.
select type, id, version, updated, false as deleted, body from record.resource
where tenant = current_setting('liane.tenant')::smallint and type = $1 and id = any($2::text[]);

-- name: vread
-- One version, current or past.
select type, id, version, updated, false as deleted, body from record.resource
where tenant = current_setting('liane.tenant')::smallint and type = $1 and id = $2 and version = $3
union all
select type, id, version, updated, deleted, body from record.history
where tenant = current_setting('liane.tenant')::smallint and type = $1 and id = $2 and version = $3;

-- name: replace
-- New versions and deletions of resources that exist, in one round trip: the old version goes to
-- the history, keys that no longer hold go, new ones come.
-- Arguments as in insert_new up to $30 (versions are the new ones); $31 numbers of the rows that
-- are deleted, $32 to $35 their type, id, version and patient; $36 to $38 index keys to remove;
-- $39 to $42 dates, $43 to $46 numbers, $47 to $49 texts to remove; $50 rows whose words go.
with past as (
  insert into record.history (tenant, type, id, version, updated, deleted, patient, body)
  select tenant, type, id, version, updated, false, patient, body
  from record.resource where rid = any($3::bigint[] || $31::bigint[])
), buried as (
  insert into record.history (tenant, type, id, version, updated, deleted, patient, body)
  select $1::smallint, u.type, u.id, u.version, $2::timestamptz, true, u.patient, ''
  from unnest($32::text[], $33::text[], $34::int[], $35::text[]) as u(type, id, version, patient)
), removed as (
  delete from record.resource where rid = any($31::bigint[])
), stored as (
  update record.resource r
  set version = u.version, updated = $2::timestamptz, patient = u.patient, at = u.at,
      body = u.body, keys = ($11::bigint[])[u.first:u.last]
  from unnest($3::bigint[], $6::int[], $7::text[], $8::timestamptz[], $30::text[],
              $9::int[], $10::int[]) as u(rid, version, patient, at, body, first, last)
  where r.rid = u.rid
), unkeyed as (
  delete from record.ix x using unnest($36::bigint[], $37::bigint[], $38::bigint[]) as u(h, s, rid)
  where x.h = u.h and x.s = u.s and x.rid = u.rid
), undated as (
  delete from record.ix_date x
  using unnest($39::bigint[], $40::bigint[], $41::bigint[], $42::bigint[]) as u(h, low, high, rid)
  where x.h = u.h and x.low = u.low and x.high = u.high and x.rid = u.rid
), unnumbered as (
  delete from record.ix_number x
  using unnest($43::bigint[], $44::float8[], $45::float8[], $46::bigint[]) as u(h, low, high, rid)
  where x.h = u.h and x.low = u.low and x.high = u.high and x.rid = u.rid
), unnamed as (
  delete from record.ix_text x using unnest($47::bigint[], $48::text[], $49::bigint[]) as u(h, value, rid)
  where x.tenant = $1::smallint and x.h = u.h and x.value = u.value and x.rid = u.rid
), unworded as (
  delete from record.content where rid = any($50::bigint[])
), keyed as (
  insert into record.ix (h, s, rid) select * from unnest($12::bigint[], $13::bigint[], $14::bigint[])
  on conflict do nothing
), dated as (
  insert into record.ix_date (h, low, high, rid)
  select * from unnest($15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[])
  on conflict do nothing
), numbered as (
  insert into record.ix_number (h, low, high, rid)
  select * from unnest($19::bigint[], $20::float8[], $21::float8[], $22::bigint[])
  on conflict do nothing
), named as (
  insert into record.ix_text (tenant, h, value, rid)
  select $1::smallint, * from unnest($23::bigint[], $24::text[], $25::bigint[])
  on conflict do nothing
), worded as (
  insert into record.content as c (rid, tenant, type, patient, words)
  select u.rid, $1::smallint, u.type, u.patient, to_tsvector('french', w.words)
  from unnest($26::bigint[], $27::int[], $28::text[]) as w(rid, n, words)
  join unnest($3::bigint[], $4::text[], $7::text[]) as u(rid, type, patient) on u.rid = w.rid
  on conflict (rid) do update set patient = excluded.patient, words = excluded.words
), batch as (
  select nextval('record.batch') as batch
), announced as (
  insert into record.unannounced (tenant, batch, size)
  select $1::smallint, batch, cardinality($3::bigint[]) + cardinality($31::bigint[]) from batch
)
insert into record.change
  (batch, n, tenant, type, id, version, deleted, patient, at, written_at, facts)
select batch, row_number() over (), $1::smallint, u.type, u.id, u.version, u.deleted, u.patient,
       u.at, $2::timestamptz, u.facts::jsonb
from batch, (
  select type, id, version, false as deleted, patient, at, facts
  from unnest($4::text[], $5::text[], $6::int[], $7::text[], $8::timestamptz[], $29::text[])
       as u(type, id, version, patient, at, facts)
  union all
  select type, id, version, true, patient, null, null
  from unnest($32::text[], $33::text[], $34::int[], $35::text[]) as u(type, id, version, patient)
) u;

-- name: deletion
-- The last deletion of a resource that is not live.
select type, id, version, updated, deleted, body from record.history
where tenant = current_setting('liane.tenant')::smallint and type = $1 and id = $2 and deleted
order by version desc limit 1;

-- name: history_of_one
-- All versions of one resource, newest first.
select * from (
  select type, id, version, updated, false as deleted, body from record.resource
  where tenant = current_setting('liane.tenant')::smallint and type = $1 and id = $2
  union all
  select type, id, version, updated, deleted, body from record.history
  where tenant = current_setting('liane.tenant')::smallint and type = $1 and id = $2
) v
where ($3::timestamptz is null or updated >= $3) and ($4::timestamptz is null or updated <= $4)
  and ($6::int is null or version < $6)
order by version desc limit $5;

-- name: history_of_type
-- All versions of all resources of some types, newest first; $6 to $8 continue after a row.
select * from (
  (select type, id, version, updated, false as deleted, body from record.resource
   where tenant = current_setting('liane.tenant')::smallint and type = any($1::text[])
     and ($3::timestamptz is null or updated >= $3) and ($4::timestamptz is null or updated <= $4)
     and ($6::timestamptz is null or (updated, type, id, version) < ($6, $2, $7, $8::int))
   order by updated desc, type desc, id desc, version desc limit $5)
  union all
  (select type, id, version, updated, deleted, body from record.history
   where tenant = current_setting('liane.tenant')::smallint and type = any($1::text[])
     and ($3::timestamptz is null or updated >= $3) and ($4::timestamptz is null or updated <= $4)
     and ($6::timestamptz is null or (updated, type, id, version) < ($6, $2, $7, $8::int))
   order by updated desc, type desc, id desc, version desc limit $5)
) v
order by updated desc, type desc, id desc, version desc limit $5;
