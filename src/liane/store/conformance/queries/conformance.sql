-- What resources are checked against, and the choices of each establishment.

-- name: stamp
-- The number of the present state of the definitions; 0 before the first.
select coalesce((select version from conformance.stamp where tenant = $1), 0)

-- name: raise_stamp
-- The number of the transaction: one that is undone never leaves its number to another.
insert into conformance.stamp (tenant, version)
values ($1, pg_current_xact_id()::text::bigint)
on conflict (tenant) do update set version = excluded.version

-- name: definitions
-- Every definition of the record that validation can use; large lists of codes stay in their
-- tables and are asked there.
select body from record.resource
where tenant = $1 and type = any(array['StructureDefinition', 'ValueSet', 'CodeSystem'])
  and octet_length(body) <= $2
order by updated, id

-- name: choices
select establishment, kind, effect from conformance.choice where tenant = $1

-- name: choose
insert into conformance.choice (tenant, establishment, kind, effect, changed)
values ($1, $2, $3, $4, $5)
on conflict (tenant, establishment, kind)
  do update set effect = excluded.effect, changed = excluded.changed

-- name: forget_choice
delete from conformance.choice where tenant = $1 and establishment = $2 and kind = $3

-- name: missing
-- Which of these resources are not there.
select n from unnest($2::text[], $3::text[]) with ordinality as asked (type, id, n)
where not exists (
  select from record.resource r
  where r.tenant = $1 and r.type = asked.type and r.id = asked.id
)

-- name: packages
select name, version, title, canonical, added, cardinality(contents) as count
from conformance.package where tenant = $1 order by name, version

-- name: package_contents
select name, version, contents from conformance.package where tenant = $1 and name = $2
for update

-- name: shared
-- Which of these resources another package brought too.
select distinct one from conformance.package p, unnest(p.contents) as one
where p.tenant = $1 and (p.name, p.version) <> ($2, $3) and one = any($4::text[])

-- name: keep_package
insert into conformance.package
  (tenant, name, version, title, canonical, sha256, added, contents)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (tenant, name, version) do update set
  title = excluded.title, canonical = excluded.canonical, sha256 = excluded.sha256,
  added = excluded.added, contents = excluded.contents

-- name: drop_package
delete from conformance.package where tenant = $1 and name = $2 and version = $3

-- name: places
-- What stands in the record under these types and ids.
select n, r.body from unnest($2::text[], $3::text[]) with ordinality as asked (type, id, n)
join record.resource r on r.tenant = $1 and r.type = asked.type and r.id = asked.id
