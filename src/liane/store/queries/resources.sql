-- name: lock
-- The current versions of the wanted resources, locked in one order so that two writers never
-- wait for each other. One look into the index for each, whatever the planner believes of the
-- size of a table that is being filled. For those that are not there: their last version, if they
-- were deleted.
select w.n, r.rid, coalesce(r.version, b.version) as version, r.updated, r.patient, r.at, r.body,
  r.keys
from (
  select type, id, n from unnest($1::text::text[], $2::text::text[]) with ordinality as u(type, id, n)
  order by type, id
) w
left join lateral (
  select * from record.resource
  where tenant = current_setting('liane.tenant')::smallint and type = w.type and id = w.id
  limit 1
  for update
) r on true
left join lateral (
  select version from record.buried
  where r.rid is null
    and tenant = current_setting('liane.tenant')::smallint and type = w.type and id = w.id
  limit 1
) b on true
where r.rid is not null or b.version is not null;

-- name: insert_new
-- New resources with their keys, words and changes, in one round trip.
-- $1 tenant, $2 now; $3 to $9 and $28 one element for each resource ($9: its keys, $28: its body);
-- $10 to $12 index; $13 to $16 dates; $17 to $20 numbers; $21 to $23 texts; $24 to $26 words;
-- $27 facts. Columns of numbers and short words come as text, which the driver packs ten times
-- faster.
with stored as (
  insert into record.resource (rid, tenant, type, id, version, updated, patient, at, body, keys)
  select u.rid, $1::smallint, u.type, u.id, u.version, $2::timestamptz, u.patient, u.at, u.body,
         u.keys::bigint[]
  from unnest($3::text::bigint[], $4::text::text[], $5::text::text[], $6::text::int[], $7::text::text[], $8::timestamptz[],
              $28::text[], $9::text[])
       as u(rid, type, id, version, patient, at, body, keys)
), keyed as (
  insert into record.ix (h, s, rid) select * from unnest($10::text::bigint[], $11::text::bigint[], $12::text::bigint[])
), dated as (
  insert into record.ix_date (h, low, high, rid)
  select * from unnest($13::text::bigint[], $14::text::bigint[], $15::text::bigint[], $16::text::bigint[])
), numbered as (
  insert into record.ix_number (h, low, high, rid)
  select * from unnest($17::text::bigint[], $18::text::float8[], $19::text::float8[], $20::text::bigint[])
), named as (
  insert into record.ix_text (tenant, h, value, rid)
  select $1::smallint, * from unnest($21::text::bigint[], $22::text[], $23::text::bigint[])
), worded as (
  insert into record.content (rid, tenant, type, patient, words)
  select u.rid, $1::smallint, u.type, u.patient, to_tsvector('french', w.words)
  from unnest($24::text::bigint[], $25::int[], $26::text[]) as w(rid, n, words)
  join unnest($3::text::bigint[], $4::text::text[], $7::text::text[]) as u(rid, type, patient) on u.rid = w.rid
), batch as (
  select nextval('record.batch') as batch
), announced as (
  insert into record.unannounced (tenant, batch, size)
  select $1::smallint, batch, cardinality($3::text::bigint[]) from batch
)
insert into record.change
  (batch, n, tenant, type, id, version, deleted, patient, at, written_at, facts)
select batch, u.n, $1::smallint, u.type, u.id, u.version, false, u.patient, u.at, $2::timestamptz,
       u.facts::jsonb
from batch,
     unnest($4::text::text[], $5::text::text[], $6::text::int[], $7::text::text[], $8::timestamptz[], $27::text[])
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
-- Arguments as in insert_new up to $28 (versions are the new ones); $29 numbers of the rows that
-- are deleted, $30 to $33 their type, id, version and patient; $34 to $36 index keys to remove;
-- $37 to $40 dates, $41 to $44 numbers, $45 to $47 texts to remove; $48 rows whose words go.
with past as (
  insert into record.history (tenant, type, id, version, updated, deleted, patient, body)
  select tenant, type, id, version, updated, false, patient, body
  from record.resource where rid = any($3::text::bigint[] || $29::text::bigint[])
), buried as (
  insert into record.history (tenant, type, id, version, updated, deleted, patient, body)
  select $1::smallint, u.type, u.id, u.version, $2::timestamptz, true, u.patient, ''
  from unnest($30::text[], $31::text[], $32::int[], $33::text[]) as u(type, id, version, patient)
), counted as (
  insert into record.buried as b (tenant, type, id, version)
  select $1::smallint, u.type, u.id, u.version
  from unnest($30::text[], $31::text[], $32::int[]) as u(type, id, version)
  on conflict (tenant, type, id) do update set version = excluded.version
), removed as (
  delete from record.resource where rid = any($29::text::bigint[])
), stored as (
  update record.resource r
  set version = u.version, updated = $2::timestamptz, patient = u.patient, at = u.at,
      body = u.body, keys = u.keys::bigint[]
  from unnest($3::text::bigint[], $6::text::int[], $7::text::text[], $8::timestamptz[], $28::text[],
              $9::text[]) as u(rid, version, patient, at, body, keys)
  where r.rid = u.rid and r.rid = any($3::text::bigint[])
), unkeyed as (
  delete from record.ix x using unnest($34::text::bigint[], $35::text::bigint[], $36::text::bigint[]) as u(h, s, rid)
  where x.h = u.h and x.s = u.s and x.rid = u.rid
), undated as (
  delete from record.ix_date x
  using unnest($37::text::bigint[], $38::text::bigint[], $39::text::bigint[], $40::text::bigint[]) as u(h, low, high, rid)
  where x.h = u.h and x.low = u.low and x.high = u.high and x.rid = u.rid
), unnumbered as (
  delete from record.ix_number x
  using unnest($41::text::bigint[], $42::text::float8[], $43::text::float8[], $44::text::bigint[]) as u(h, low, high, rid)
  where x.h = u.h and x.low = u.low and x.high = u.high and x.rid = u.rid
), unnamed as (
  delete from record.ix_text x using unnest($45::text::bigint[], $46::text[], $47::text::bigint[]) as u(h, value, rid)
  where x.tenant = $1::smallint and x.h = u.h and x.value = u.value and x.rid = u.rid
), unworded as (
  delete from record.content where rid = any($48::text::bigint[])
), keyed as (
  insert into record.ix (h, s, rid) select * from unnest($10::text::bigint[], $11::text::bigint[], $12::text::bigint[])
  on conflict do nothing
), dated as (
  insert into record.ix_date (h, low, high, rid)
  select * from unnest($13::text::bigint[], $14::text::bigint[], $15::text::bigint[], $16::text::bigint[])
  on conflict do nothing
), numbered as (
  insert into record.ix_number (h, low, high, rid)
  select * from unnest($17::text::bigint[], $18::text::float8[], $19::text::float8[], $20::text::bigint[])
  on conflict do nothing
), named as (
  insert into record.ix_text (tenant, h, value, rid)
  select $1::smallint, * from unnest($21::text::bigint[], $22::text[], $23::text::bigint[])
  on conflict do nothing
), worded as (
  insert into record.content as c (rid, tenant, type, patient, words)
  select u.rid, $1::smallint, u.type, u.patient, to_tsvector('french', w.words)
  from unnest($24::text::bigint[], $25::int[], $26::text[]) as w(rid, n, words)
  join unnest($3::text::bigint[], $4::text::text[], $7::text::text[]) as u(rid, type, patient) on u.rid = w.rid
  on conflict (rid) do update set patient = excluded.patient, words = excluded.words
), batch as (
  select nextval('record.batch') as batch
), announced as (
  insert into record.unannounced (tenant, batch, size)
  select $1::smallint, batch, cardinality($3::text::bigint[]) + cardinality($29::text::bigint[]) from batch
)
insert into record.change
  (batch, n, tenant, type, id, version, deleted, patient, at, written_at, facts)
select batch, row_number() over (), $1::smallint, u.type, u.id, u.version, u.deleted, u.patient,
       u.at, $2::timestamptz, u.facts::jsonb
from batch, (
  select type, id, version, false as deleted, patient, at, facts
  from unnest($4::text::text[], $5::text::text[], $6::text::int[], $7::text::text[], $8::timestamptz[], $27::text[])
       as u(type, id, version, patient, at, facts)
  union all
  select type, id, version, true, patient, null, null
  from unnest($30::text[], $31::text[], $32::int[], $33::text[]) as u(type, id, version, patient)
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
