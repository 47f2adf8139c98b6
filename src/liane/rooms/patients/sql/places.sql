-- name: lock_place
-- Two messages that name a new bed at once learn it once.
select patients.lock_numbers(array['place|' || $1])

-- name: beds_of_locations
-- Beds as Location resources describe them; the unit of a bed is that of the ward it stands in.
with said as (
  select * from jsonb_to_recordset($2::jsonb) as r(
    location text, unit text, ward text, room text, label text, rank integer, state text,
    active boolean, note text)
)
insert into patients.bed as b
  (tenant, location, unit, ward, room, label, rank, state, since, note, active)
select $1, location, unit, ward, room, label, rank, state,
       case when note = '?' then timestamptz 'epoch' else $3 end,
       case when note = '?' then '' else note end, active
from said
on conflict (tenant, location) do update set
  unit = excluded.unit, ward = excluded.ward, room = excluded.room, label = excluded.label,
  rank = excluded.rank, active = excluded.active,
  -- A Location without a state (epoch) leaves what people said of the bed as it is.
  state = case when excluded.since > timestamptz 'epoch' then excluded.state else b.state end,
  note = case when excluded.since > timestamptz 'epoch' then excluded.note else b.note end,
  since = case when excluded.since > timestamptz 'epoch' and b.state <> excluded.state
               then excluded.since else b.since end

-- name: units
-- Care units by name.
with said as (
  select * from jsonb_to_recordset($2::jsonb) as r(
    unit text, name text, establishment text, learnt boolean, active boolean)
)
insert into patients.unit as u (tenant, unit, name, establishment, learnt, active)
select $1, unit, name, establishment, learnt, active from said
on conflict (tenant, unit) do update set
  name = excluded.name, establishment = excluded.establishment, learnt = excluded.learnt,
  active = excluded.active

-- name: bed_by_label
-- A bed of a unit by what people call it, when its id does not follow from its codes.
select location, ward, room from patients.bed
where tenant = $1 and unit = $2 and (label = $3 or label = $4) and active

-- name: unit_of_bed
select unit from patients.bed where tenant = $1 and location = $2

-- name: establishments
-- The establishment of each care unit.
select unit, establishment from patients.unit where tenant = $1 and unit = any($2::text[])

-- name: forget_places
-- Deleted Locations and Organizations leave boards and lists.
with units as (
  update patients.unit set active = false where tenant = $1 and unit = any($3::text[])
)
update patients.bed set active = false where tenant = $1 and location = any($2::text[])
