-- name: systems_of_resources
-- What is filed for these CodeSystem resources.
select id, resource, loaded from terminology.system where tenant = $1 and resource = any($2::text[]);

-- name: former_concepts
-- The concepts of the version of a system in use.
select c.key, c.code, c.display, c.abstract, c.inactive
from terminology.concept c
where c.tenant = $1 and c.system = (
  select id from terminology.system where tenant = $1 and url = $2 and content <> 'supplement'
    and concepts > 0
  order by status = 'active' desc, version_order desc, updated desc, id desc limit 1
) order by c.id;

-- name: keep_system
-- The header of a code system; gives its number.
insert into terminology.system as s (tenant, resource, url, version, version_order, title, status,
  content, case_sensitive, hierarchy, value_set, supplements, properties, source, updated)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
on conflict (tenant, resource) do update set
  url = excluded.url, version = excluded.version, version_order = excluded.version_order,
  title = excluded.title, status = excluded.status, content = excluded.content,
  case_sensitive = excluded.case_sensitive, hierarchy = excluded.hierarchy,
  value_set = excluded.value_set, supplements = excluded.supplements,
  properties = excluded.properties, source = excluded.source, updated = excluded.updated
returning id;

-- name: count_concepts
-- How many concepts a system has now, how many of them in use, and how they came.
update terminology.system set concepts = $3, active = $4, loaded = $5
where tenant = $1 and id = $2;

-- name: drop_concepts
-- Forget the concepts of systems, before they are written anew or when the system goes.
with a as (delete from terminology.concept where tenant = $1 and system = any($2::int[])),
b as (delete from terminology.designation where tenant = $1 and system = any($2::int[])),
c as (delete from terminology.property where tenant = $1 and system = any($2::int[])),
d as (delete from terminology.word where tenant = $1 and system = any($2::int[]))
delete from terminology.closure where tenant = $1 and system = any($2::int[]);

-- name: drop_systems
-- Forget systems.
delete from terminology.system where tenant = $1 and id = any($2::int[]);

-- name: add_concepts
-- Concepts of one system.
insert into terminology.concept
  (tenant, system, id, key, code, display, definition, abstract, inactive)
select $1::smallint, $2::int, u.* from unnest($3::text::int[], $4::text[], $5::text[], $6::text[],
  $7::text[], $8::bool[], $9::bool[]) u;

-- name: add_words
-- What concepts are found by.
insert into terminology.word (tenant, system, word, concept, size, inactive, abstract)
select $1::smallint, $2::int, u.* from unnest($3::text[], $4::int[], $5::smallint[], $6::bool[],
  $7::bool[]) u;

-- name: add_designations
-- Other words for concepts.
insert into terminology.designation (tenant, system, concept, place, language, usage, value)
select $1::smallint, $2::int, u.concept, u.place, u.language, u.usage::jsonb, u.value
from unnest($3::text::int[], $4::text::smallint[], $5::text[], $6::text[], $7::text[])
  u(concept, place, language, usage, value);

-- name: add_properties
-- Statements about concepts.
insert into terminology.property (tenant, system, concept, place, name, value, shown)
select $1::smallint, $2::int, u.concept, u.place, u.name, u.value, u.shown::jsonb
from unnest($3::text::int[], $4::text::smallint[], $5::text[], $6::text[], $7::text[])
  u(concept, place, name, value, shown);

-- name: add_closure
-- Ancestors and descendants.
insert into terminology.closure (tenant, system, ancestor, descendant, direct)
select $1::smallint, $2::int, u.* from unnest($3::text::int[], $4::text::int[], $5::bool[]) u;

-- name: keep_value_sets
-- Where value sets stand.
insert into terminology.value_set (tenant, resource, url, version, version_order, status, updated)
select $1::smallint, u.* from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
  $7::timestamptz[]) u
on conflict (tenant, resource) do update set number = nextval('terminology.number'),
  url = excluded.url, version = excluded.version, version_order = excluded.version_order,
  status = excluded.status, updated = excluded.updated;

-- name: drop_value_sets
-- Value sets that are gone.
delete from terminology.value_set where tenant = $1 and resource = any($2::text[]);

-- name: drop_concept_maps
-- Concept maps that are gone, with their lines.
with gone as (
  delete from terminology.concept_map where tenant = $1 and resource = any($2::text[])
  returning id
)
delete from terminology.mapping where tenant = $1 and map in (select id from gone);

-- name: keep_concept_map
-- A concept map; gives its number.
insert into terminology.concept_map
  (tenant, resource, url, version, version_order, status, source, target, unmapped, updated)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) returning id;

-- name: add_mappings
-- Lines of one concept map.
insert into terminology.mapping (tenant, map, place, source_system, source_code, target_system,
  target_code, target_display, equivalence, comment, depends, products)
select $1::smallint, $2::int, u.place, u.ss, u.sc, u.ts, u.tc, u.td, u.e, u.c, u.d::jsonb, u.p::jsonb
from unnest($3::text::int[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
  $10::text[], $11::text[], $12::text[]) u(place, ss, sc, ts, tc, td, e, c, d, p);
