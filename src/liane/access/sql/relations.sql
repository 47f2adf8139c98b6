-- name: replace_for_encounter
-- Make the given ties the only ones of an encounter, in one statement. The rows removed and the
-- rows written are disjoint, so that the two parts never meet the same row.
with wanted as (
  select distinct on (kind, unit, practitioner, starts)
         kind, unit, establishment, practitioner, starts, ends
  from unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[], $9::timestamptz[])
       as w(kind, unit, establishment, practitioner, starts, ends)
  order by kind, unit, practitioner, starts, ends desc nulls first
), gone as (
  delete from access.relation r
  where r.tenant = $1 and r.encounter = $3
    and not exists (
      select 1 from wanted w
      where r.patient = $2 and w.kind = r.kind and w.unit = r.unit
        and w.practitioner = r.practitioner and w.starts = r.starts)
)
insert into access.relation
  (tenant, patient, encounter, kind, unit, establishment, practitioner, starts, ends)
select $1, $2, $3, kind, unit, establishment, practitioner, starts, ends from wanted
on conflict (tenant, patient, encounter, kind, unit, practitioner, starts)
do update set ends = excluded.ends, establishment = excluded.establishment
where (access.relation.ends, access.relation.establishment)
      is distinct from (excluded.ends, excluded.establishment)

-- name: move_patient
-- After a merge, whoever cared for the retired identity cares for the surviving one.
with moved as (
  delete from access.relation where tenant = $1 and patient = $2 returning *
)
insert into access.relation
  (tenant, patient, encounter, kind, unit, establishment, practitioner, starts, ends)
select tenant, $3, encounter, kind, unit, establishment, practitioner, starts, ends from moved
on conflict do nothing

-- name: facts_of
-- The ties of one patient valid now (or ever), and one row of kind `protected` when the identity is.
select kind, unit, establishment, practitioner
from access.relation
where tenant = $1 and patient = $2
  and ($4::boolean or (starts <= $3 and (ends is null or ends > $3)))
union all
select 'protected', '', '', '' from access.protected_patient where tenant = $1 and patient = $2

-- name: units_of_patients
-- The units where each of the patients is present or expected at that instant.
select patient, array_agg(distinct unit) as units
from access.relation
where tenant = $1 and patient = any($2::text[]) and kind in ('present', 'expected') and unit <> ''
  and starts <= $3 and (ends is null or ends > $3)
group by patient

-- name: establishment_of_unit
-- The establishment of a unit, by the most recent tie that names both.
select establishment from access.relation
where tenant = $1 and unit = $2 and establishment <> ''
order by starts desc limit 1
