-- name: maps
-- The concept maps in use, or those of one address, the preferred one first.
select id, url, version, source, target, unmapped from terminology.concept_map
where tenant = $1 and ($2 = '' and status <> 'retired' or url = $2) and $3 in ('', version)
order by status = 'active' desc, version_order desc, updated desc;

-- name: lines_from
-- Lines whose source is the code.
select map, source_system, source_code, target_system, target_code, target_display, equivalence,
  comment, depends, products
from terminology.mapping
where tenant = $1 and map = any($2::int[]) and source_code = $3
  and ($4 = '' or source_system in ('', $4))
order by map, place;

-- name: lines_to
-- Lines whose target is the code.
select map, source_system, source_code, target_system, target_code, target_display, equivalence,
  comment, depends, products
from terminology.mapping
where tenant = $1 and map = any($2::int[]) and target_code = $3
  and ($4 = '' or target_system in ('', $4))
order by map, place;
