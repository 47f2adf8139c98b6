-- name: unit
select unit, name, establishment from patients.unit where tenant = $1 and unit = $2

-- name: units
-- Care units with what their boards would count.
select u.unit, u.name, u.establishment, coalesce(e.body::jsonb ->> 'name', '') as establishment_name,
  (select count(*) from patients.bed b where b.tenant = $1 and b.unit = u.unit and b.active) as beds,
  (select count(*) from patients.stay s where s.tenant = $1 and s.unit = u.unit
     and s.status in ('in-progress', 'onleave')) as present,
  (select count(*) from patients.stay s where s.tenant = $1 and s.unit = u.unit
     and s.status = 'planned' and s.expected_start between $3::timestamptz - interval '12 hours'
     and $3::timestamptz + interval '36 hours') as expected
from patients.unit u
left join record.resource e on e.tenant = $1 and e.type = 'Organization'
  and e.id = u.establishment
where u.tenant = $1 and u.active and ($2::text[] is null or u.unit = any($2))
order by u.name

-- name: units_of_establishments
select unit from patients.unit where tenant = $1 and establishment = any($2::text[]) and active

-- name: beds
-- The beds of a unit in the order people walk past them.
select location, room, label, state, since, note from patients.bed
where tenant = $1 and unit = $2 and active
order by rank, label

-- name: present
-- Who is in the unit now, with the traits a tile shows; `may_see` is completed by the gate.
select s.encounter, s.patient, s.bed, s.room, s.status, s.class, s.starts, s.since, s.expected_end,
       s.attending, s.medical_unit, s.venue_value,
       x.birth_name, x.used_name, x.given, x.used_given, x.birth_date, x.sex, x.birth_place,
       x.status as identity_status, x.attributes, x.protected, x.deceased,
       {may_see} as may_see
from patients.stay s
join patients.index x on x.tenant = $1 and x.patient = s.patient
where s.tenant = $1 and s.unit = $2 and s.status in ('in-progress', 'onleave')
order by s.since

-- name: expected
-- Who is announced in the unit from half a day ago to a day and a half ahead.
select s.encounter, s.patient, s.expected_start, s.attending, b.label as bed,
       x.birth_name, x.used_name, x.given, x.used_given, x.birth_date, x.sex, x.birth_place,
       x.status as identity_status, x.attributes, x.protected, x.deceased,
       {may_see} as may_see
from patients.stay s
join patients.index x on x.tenant = $1 and x.patient = s.patient
left join patients.bed b on b.tenant = $1 and b.location = s.bed
where s.tenant = $1 and s.unit = $2 and s.status = 'planned'
  and s.expected_start between $3::timestamptz - interval '12 hours' and $3::timestamptz + interval '36 hours'
order by s.expected_start
