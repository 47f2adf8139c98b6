-- name: systems_of_url
-- Every version of a code system, the preferred one first.
select id, url, version, title, content, case_sensitive, hierarchy, value_set, status, supplements,
  source, properties, concepts, active, loaded
from terminology.system
where tenant = $1 and url = $2
order by status = 'active' desc, version_order desc, updated desc, id desc;

-- name: system_of_value_set
-- The code system whose every code makes up this value set.
select url, version from terminology.system
where tenant = $1 and value_set = $2 and supplements = ''
order by status = 'active' desc, version_order desc, updated desc limit 1;

-- name: concepts_of_keys
-- Concepts by their codes.
select id, key, code, display, definition, abstract, inactive from terminology.concept
where tenant = $1 and system = $2 and key = any($3::text[]);

-- name: concepts_of_ids
-- Concepts by their numbers.
select id, key, code, display, definition, abstract, inactive from terminology.concept
where tenant = $1 and system = $2 and id = any($3::int[]) order by id;

-- name: designations
-- Other words for concepts, those of supplements after their own.
select c.id as concept, d.value, d.language, d.usage, 0 as origin, d.place
from terminology.designation d
join terminology.concept c on c.tenant = d.tenant and c.system = d.system and c.id = d.concept
where d.tenant = $1 and d.system = $2 and d.concept = any($3::int[])
order by concept, place;

-- name: supplemented
-- What supplements of a system say of codes: words and statements.
select c.code, d.value, d.language, d.usage
from terminology.system s
join terminology.concept c on c.tenant = s.tenant and c.system = s.id
join terminology.designation d
  on d.tenant = c.tenant and d.system = c.system and d.concept = c.id
where s.tenant = $1 and s.supplements <> ''
  and (s.supplements = $2 or s.supplements like $4) and c.key = any($3::text[])
order by s.id, c.code, d.place;

-- name: properties
-- What the system says of concepts.
select concept, name, value, shown from terminology.property
where tenant = $1 and system = $2 and concept = any($3::int[])
order by concept, place;

-- name: parents
-- The concepts directly above one.
select c.id, c.key, c.code, c.display, c.definition, c.abstract, c.inactive
from terminology.closure k
join terminology.concept c on c.tenant = k.tenant and c.system = k.system and c.id = k.ancestor
where k.tenant = $1 and k.system = $2 and k.descendant = $3 and k.direct order by c.id;

-- name: children
-- The concepts directly below one.
select c.id, c.key, c.code, c.display, c.definition, c.abstract, c.inactive
from terminology.closure k
join terminology.concept c on c.tenant = k.tenant and c.system = k.system and c.id = k.descendant
where k.tenant = $1 and k.system = $2 and k.ancestor = $3 and k.direct order by c.id limit $4;

-- name: below
-- The codes below one, itself first; at most $4.
select c.code from terminology.concept c where c.tenant = $1 and c.system = $2 and c.key = $3
union all
(select c.code from terminology.closure k
 join terminology.concept c on c.tenant = k.tenant and c.system = k.system and c.id = k.descendant
 where k.tenant = $1 and k.system = $2
   and k.ancestor = (select id from terminology.concept where tenant = $1 and system = $2 and key = $3)
 limit $4);

-- name: above
-- The codes above one, itself first; at most $4.
select c.code from terminology.concept c where c.tenant = $1 and c.system = $2 and c.key = $3
union all
(select c.code from terminology.closure k
 join terminology.concept c on c.tenant = k.tenant and c.system = k.system and c.id = k.ancestor
 where k.tenant = $1 and k.system = $2
   and k.descendant = (select id from terminology.concept where tenant = $1 and system = $2 and key = $3)
 limit $4);

-- name: relation
-- Whether the second concept stands below the first, and the other way: a probe of the closure each.
select
  exists (select from terminology.closure
    where tenant = $1 and system = $2 and ancestor = $3 and descendant = $4) as subsumes,
  exists (select from terminology.closure
    where tenant = $1 and system = $2 and ancestor = $4 and descendant = $3) as subsumed;

-- name: matching_regex
-- The codes that a pattern describes whole.
select code from unnest($1::text[]) code where code ~ $2;

-- name: value_sets_of_url
-- Every version of a value set, the preferred one first.
select v.resource, v.number, v.version
from terminology.value_set v
where v.tenant = $1 and v.url = $2
order by v.status = 'active' desc, v.version_order desc, v.updated desc, v.resource;

-- name: body
-- The text of a terminology resource.
select body from record.resource where tenant = $1 and type = $2 and id = $3;
